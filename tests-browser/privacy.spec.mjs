// What a page requests, as docs/privacy.md lists it: nothing else, from nobody else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { engine, launchBrowser, serve } from "./harness.mjs";

test("loading and asking request the worker, one wasm file, the model and the image", async () => {
  const browser = await launchBrowser();
  const server = await serve();
  try {
    const requests = [];
    const context = await engine.newWatchedContext(browser, (url) => requests.push(url));
    const page = await context.newPage();
    await page.goto(`${server.url}/tests-browser/pages/sdk.html`);
    await page.waitForFunction(() => window.isReady);
    requests.length = 0;
    const loadAndAsk = () =>
      page.evaluate(async () => {
        const vlm = await TinyVLM.load();
        const chat = vlm.chat();
        await chat.ask("/examples-web/samples/sample-1.png", "Describe the image.");
        await chat.ask("What colour is the background?");
        await vlm.dispose();
      });
    const asked = () => requests.splice(0).map((url) => url.replace(`${server.url}/`, ""));

    await loadAndAsk();
    const first = [
      "dist/worker.mjs",
      `dist/wasm/tiny-vlm-${engine.variants.plain}.wasm`,
      "dist/model/tiny-vlm-demo.gguf",
      "examples-web/samples/sample-1.png",
    ];
    assert.deepEqual(asked(), first);

    await loadAndAsk();
    assert.deepEqual(
      asked(),
      first.filter((name) => !name.endsWith(".gguf")),
      "the model is kept on the device",
    );
  } finally {
    await browser.close();
    await server.close();
  }
});
