// "Find images like this one": embeddings in Chromium, and the same ones in Node.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { launchBrowser, root, samplePath, samples, serve, withSdk } from "./harness.mjs";

const NAMES = samples.map(({ image }) => image);
// The same scenes as JPEG, in another size.
const COPIES = samples.map(({ large }) => large);

describe("images are embedded", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser();
    server = await serve();
  });
  after(async () => {
    await server.close();
    await browser.close();
  });

  test("a page computes the numbers that Node computes, bit for bit", async () => {
    const { TinyVLM } = await import(pathToFileURL(join(root, "dist", "node.mjs")));
    const vlm = await TinyVLM.load(undefined, { variant: "simd" });
    const inNode = [];
    for (const name of NAMES) {
      const { vector, rows } = await vlm.embed(samplePath(name), { rows: true });
      inNode.push({ vector: [...vector], rows: [...rows] });
    }
    await vlm.dispose();
    await withSdk(browser, server, async (page) => {
      const inPage = await page.evaluate(async (names) => {
        const vlm = await TinyVLM.load(undefined, { variant: "simd" });
        const embeddings = [];
        for (const name of names) {
          // The engine's own decoder, as in Node.
          const { vector, rows } = await vlm.embed(`/examples-web/samples/${name}`, {
            rows: true,
            exactPreprocess: true,
          });
          embeddings.push({ vector: [...vector], rows: [...rows] });
        }
        await vlm.dispose();
        return embeddings;
      }, NAMES);
      assert.deepEqual(inPage, inNode);
    });
  });

  test("a page finds the copy of an image by its canvas, its file or its address", async () => {
    await withSdk(browser, server, async (page) => {
      const found = await page.evaluate(
        async ({ names, copies }) => {
          const vlm = await TinyVLM.load(undefined, { threads: 1 });
          const album = [];
          for (const name of names)
            album.push({ name, ...(await vlm.embed(`/examples-web/samples/${name}`)) });
          const similarity = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
          const nearest = async (image) => {
            const { vector } = await vlm.embed(image);
            const near = album.map((one) => [similarity(one.vector, vector), one.name]);
            return near.sort(([a], [b]) => b - a)[0][1];
          };
          const found = [];
          for (const large of copies) {
            const address = `/examples-web/samples/${large}`;
            const file = await (await fetch(address)).blob();
            const bitmap = await createImageBitmap(file);
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 300;
            canvas.getContext("2d").drawImage(bitmap, 0, 0, 300, 300);
            found.push([await nearest(address), await nearest(file), await nearest(canvas)]);
          }
          await vlm.dispose();
          return found;
        },
        { names: NAMES, copies: COPIES },
      );
      assert.deepEqual(
        found,
        NAMES.map((name) => [name, name, name]),
      );
    });
  });

  test("an embedding is cancelled, and the next one is computed", async () => {
    await withSdk(browser, server, async (page) => {
      const outcome = await page.evaluate(async () => {
        const vlm = await TinyVLM.load(undefined, { threads: 1, imageSize: 1024 });
        const address = "/examples-web/samples/sample-1.png";
        const controller = new AbortController();
        const cancelled = vlm.embed(address, { signal: controller.signal });
        const next = vlm.embed(address);
        setTimeout(() => controller.abort(), 100);
        const { code, name } = await cancelled.catch((error) => error);
        const { tokens } = await next;
        const { imageTokens } = vlm.info;
        await vlm.dispose();
        const late = await vlm.embed(address).catch((error) => error.code);
        return { code, name, all: tokens === imageTokens, late };
      });
      assert.deepEqual(outcome, {
        code: "aborted",
        name: "AbortError",
        all: true,
        late: "not_ready",
      });
    });
  });
});
