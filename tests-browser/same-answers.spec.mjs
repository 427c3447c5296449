// "Is it the same model everywhere?": a browser and the Node SDK give the same answers about opaque
// PNGs, with either decoder.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { launchBrowser, root, serve, sharedPath, withSdk } from "./harness.mjs";

const CASES = 60;
const LEVELS = 2; // of 255: what decoders may differ by
// PNGs of pngsuite that are opaque and carry no colour information of their own, which makes them
// sRGB: every filter, every compression level.
const OPAQUE_SRGB = /^(f\d\dn[02]|z\d\dn2).*\.png$/;

describe("the same answers everywhere", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  test(`a page equals Node on ${CASES} questions, with either decoder`, async (context) => {
    const folder = sharedPath("demo-model/test");
    if (!folder) return context.skip("missing test data: demo-model/test");
    const all = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")).cases;
    const cases = Array.from(
      { length: CASES },
      (_, index) => all[Math.floor((index * all.length) / CASES)],
    );

    const { TinyVLM } = await import(pathToFileURL(join(root, "dist", "node.mjs")));
    const vlm = await TinyVLM.load(undefined, { variant: "simd" });
    const inNode = [];
    for (const { image, question } of cases)
      inNode.push((await vlm.ask(join(folder, image), question)).text);
    await vlm.dispose();

    const server = await serve();
    const images = await serve({ mounts: { "/": folder }, cors: true });
    try {
      await withSdk(browser, server, async (page) => {
        const inBrowser = await page.evaluate(
          async ({ cases, base }) => {
            const vlm = await TinyVLM.load(undefined, { variant: "simd" });
            const answers = [];
            for (const { image, question } of cases) {
              const url = `${base}/${image}`;
              answers.push({
                decoded: (await ask(vlm, url, question)).text,
                exact: (await ask(vlm, url, question, { exactPreprocess: true })).text,
              });
            }
            await vlm.dispose();
            return answers;
          },
          { cases, base: images.url },
        );
        for (const [index, { image, question }] of cases.entries()) {
          assert.equal(
            inBrowser[index].decoded,
            inNode[index],
            `${image}: ${question} (decoded by the browser)`,
          );
          assert.equal(
            inBrowser[index].exact,
            inNode[index],
            `${image}: ${question} (decoded by the engine)`,
          );
        }
      });
      const equal = cases.filter(({ answer }, index) => inNode[index] === answer).length;
      context.diagnostic(`${equal} of ${CASES} equal the stored 32-bit answers`);
    } finally {
      await server.close();
      await images.close();
    }
  });

  test(`a page decodes opaque sRGB images within ${LEVELS} levels`, async (context) => {
    const folder = sharedPath("data/images/pngsuite");
    if (!folder) return context.skip("missing test data: data/images/pngsuite");
    const names = readdirSync(join(folder, "png")).filter((name) => OPAQUE_SRGB.test(name));
    assert.ok(names.length >= 10, `found ${names.length} images`);
    const server = await serve();
    const images = await serve({ mounts: { "/": join(folder, "png") }, cors: true });
    try {
      await withSdk(browser, server, async (page) => {
        for (const name of names) {
          // As worker/images.ts does it.
          const pixels = await page.evaluate(async (url) => {
            const bitmap = await createImageBitmap(await (await fetch(url)).blob(), {
              imageOrientation: "from-image",
              premultiplyAlpha: "none",
            });
            const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", {
              willReadFrequently: true,
            });
            canvas.drawImage(bitmap, 0, 0);
            return [...canvas.getImageData(0, 0, bitmap.width, bitmap.height).data];
          }, `${images.url}/${name}`);
          const right = JSON.parse(
            readFileSync(join(folder, "json", name.replace(".png", ".json")), "utf8"),
          );
          assert.equal(pixels.length, right.length, name);
          const farthest = Math.max(
            ...pixels.map((value, index) => Math.abs(value - right[index])),
          );
          assert.ok(farthest <= LEVELS, `${name}: ${farthest} levels apart`);
        }
      });
    } finally {
      await server.close();
      await images.close();
    }
  });
});
