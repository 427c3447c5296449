// "My picture is already in the page in some form": every form that a browser has of one picture gets one answer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium, serve, withSdk } from "./harness.mjs";

describe("pictures in a page", () => {
  let browser;
  let server;
  before(async () => {
    browser = await launchChromium();
    server = await serve();
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  test("each kind of picture source gets the answer that the file gets", async () => {
    await withSdk(browser, server, async (page) => {
      const answers = await page.evaluate(async () => {
        const url = "/examples-web/samples/sample-6.png";
        const blob = await (await fetch(url)).blob();
        const bitmap = await createImageBitmap(blob);
        const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
        offscreen.getContext("2d").drawImage(bitmap, 0, 0);
        const element = new Image();
        element.src = url;
        await element.decode();
        const rgb = new Uint8Array(pixels.data.length / 4 * 3);
        for (let i = 0; i < pixels.data.length / 4; i++) rgb.set(pixels.data.subarray(4 * i, 4 * i + 3), 3 * i);
        const frame = new VideoFrame(canvas, { timestamp: 0 });
        const kinds = {
          "address": url, "URL": new URL(url, location.href), "Blob": blob, "File": new File([blob], "mine.png", { type: blob.type }),
          "ArrayBuffer": await blob.arrayBuffer(), "Uint8Array": new Uint8Array(await blob.arrayBuffer()), "data: URL": canvas.toDataURL("image/png"),
          "ImageData": pixels, "canvas": canvas, "OffscreenCanvas": offscreen, "<img>": element, "VideoFrame": frame,
          "raw RGBA": { data: pixels.data.slice(), width: canvas.width, height: canvas.height },
          "raw RGB": { data: rgb, width: canvas.width, height: canvas.height }, "ImageBitmap": bitmap,
        };
        const vlm = await TinyVLM.load();
        const answers = {};
        for (const [kind, image] of Object.entries(kinds)) answers[kind] = (await ask(vlm, image, "Describe the image.")).text;
        answers["exact preprocessing"] = (await ask(vlm, blob, "Describe the image.", { exactPreprocess: true })).text;
        frame.close();
        await vlm.dispose();
        return answers;
      });
      for (const [kind, text] of Object.entries(answers)) assert.equal(text, "A fire engine, a snowman and a balloon.", kind);
    });
  });

  test("text alone, without a picture, is answered", async () => {
    await withSdk(browser, server, async (page) => {
      const answer = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const answer = await ask(vlm, null, "Describe the image.", { maxTokens: 8 });
        await vlm.dispose();
        return answer;
      });
      assert.equal(answer.usage.imageTokens, 0);
      assert.ok(answer.usage.completionTokens >= 1);
    });
  });

  test("two questions at once are answered in the order asked", async () => {
    await withSdk(browser, server, async (page) => {
      const { order, texts } = await page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const order = [];
        const first = vlm.ask("/examples-web/samples/sample-1.png", "Describe the image.").then((answer) => { order.push("first"); return answer.text; });
        const second = vlm.ask("/examples-web/samples/sample-2.png", "Describe the image.").then((answer) => { order.push("second"); return answer.text; });
        const texts = await Promise.all([first, second]);
        await vlm.dispose();
        return { order, texts };
      });
      assert.deepEqual(order, ["first", "second"]);
      assert.deepEqual(texts, ["A sunflower.", "A pencil and a ring."]);
    });
  });
});
