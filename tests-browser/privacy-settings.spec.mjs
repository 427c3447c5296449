// "My browser protects me": a canvas that is falsified against fingerprints, a private window.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { startFaultyServer } from "../js-sdk/test/faulty-server.mjs";
import { demoModelPath, lacks, launchBrowser, serve, withSdk } from "./harness.mjs";

describe("privacy settings", () => {
  let server;
  before(async () => (server = await serve()));
  after(() => server.close());

  // Of each image the answer, or the code of the error.
  const askAboutAll = (page) =>
    page.evaluate(async () => {
      const address = "/examples-web/samples/sample-1.png";
      const png = await (await fetch(address)).blob();
      const bitmap = await createImageBitmap(png);
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 256;
      canvas.getContext("2d").drawImage(bitmap, 0, 0, 256, 256);
      const element = Object.assign(new Image(), { src: address });
      await element.decode();
      const jpeg = await (await fetch("/examples-web/samples/sample-1-1024.jpg")).blob();
      const images = { address, png, jpeg, element, bitmap, canvas };
      const vlm = await TinyVLM.load(undefined, { threads: 1 });
      const outcomes = {};
      for (const [name, image] of Object.entries(images)) {
        const { value, code, message } = await settle(ask(vlm, image, "Describe the image."));
        outcomes[name] = value ? { text: value.text } : { code, message };
      }
      await vlm.dispose();
      return outcomes;
    });

  const resists = { skip: lacks("privacy.resistFingerprinting") };
  test(
    "under privacy.resistFingerprinting files are answered, pixels refused",
    resists,
    async () => {
      const browser = await launchBrowser({
        preferences: { "privacy.resistFingerprinting": true },
      });
      try {
        await withSdk(browser, server, async (page) => {
          const { address, png, jpeg, ...drawn } = await askAboutAll(page);
          for (const file of [address, png, jpeg]) assert.deepEqual(file, { text: "A sunflower." });
          for (const [name, { text, code, message }] of Object.entries(drawn)) {
            assert.equal(text, undefined, name);
            assert.equal(code, "invalid_image", name);
            assert.match(message, /privacy setting .*PNG or JPEG/, name);
          }
        });
      } finally {
        await browser.close();
      }
    },
  );

  const stays = { skip: lacks("storage that outlives a page") };
  test(
    "in a private window a model runs, and is kept or a warning says why not",
    stays,
    async () => {
      const files = await startFaultyServer({ files: { model: readFileSync(demoModelPath) } });
      const browser = await launchBrowser({
        preferences: { "browser.privatebrowsing.autostart": true },
      });
      try {
        await withSdk(browser, server, async (page) => {
          const visit = () =>
            page.evaluate(async (url) => {
              const warnings = [];
              const onWarning = (warning) => warnings.push(warning);
              const vlm = await TinyVLM.load(url, { threads: 1, onWarning });
              const image = "/examples-web/samples/sample-5.png";
              const { text } = await vlm.ask(image, "How many objects do you see?");
              await vlm.dispose();
              return { text, warnings };
            }, files.url("model"));
          const first = await visit();
          assert.equal(first.text, "Two.");
          files.reset();
          await page.reload();
          await page.waitForFunction(() => window.isReady);
          assert.equal((await visit()).text, "Two.");
          if (files.requests().length === 0) assert.deepEqual(first.warnings, []);
          else assert.match(first.warnings.join(), /^[^,]*not stored on this device: [^,]*$/);
        });
      } finally {
        await browser.close();
        await files.close();
      }
    },
  );
});
