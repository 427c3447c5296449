// What a page requests, as docs/privacy.md lists it: nothing else, from nobody else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { engine, launchBrowser, serve } from "./harness.mjs";

/** A page with the SDK on it, and the addresses that it and its workers ask for from now on. */
async function withRequests(body) {
  const browser = await launchBrowser();
  const server = await serve();
  try {
    const requests = [];
    const context = await engine.newWatchedContext(browser, (url) => requests.push(url));
    const page = await context.newPage();
    await page.goto(`${server.url}/tests-browser/pages/sdk.html`);
    await page.waitForFunction(() => window.isReady);
    requests.length = 0;
    await body({ page, server, requests });
  } finally {
    await browser.close();
    await server.close();
  }
}

test("loading and asking request the worker, one wasm file, the model and the image", async () => {
  await withRequests(async ({ page, server, requests }) => {
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
  });
});

test("an SVG image fetches nothing and runs nothing", async () => {
  await withRequests(async ({ page, server, requests }) => {
    const outcome = await page.evaluate(async (at) => {
      const svg = `<?xml-stylesheet href="${at}/stolen.css"?>
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 90" onload="window.ran = true">
          <style>@import url("${at}/stolen.css"); rect { fill: url("${at}/stolen.svg#a") }</style>
          <script>window.ran = true; fetch("${at}/stolen")</script>
          <image href="${at}/stolen.png" width="9" height="9"/>
          <rect width="50" height="50"/>
        </svg>`;
      const vlm = await TinyVLM.load();
      const { text } = await vlm.ask(new Blob([svg]), "Describe the image.");
      // A page may not read what is drawn of it.
      const page = `<foreignObject width="9" height="9">
        <iframe xmlns="http://www.w3.org/1999/xhtml" src="${at}/stolen.html"/></foreignObject></svg>`;
      const holding = new Blob([svg.replace("</svg>", page)]);
      const { code } = await settle(vlm.ask(holding, "Describe the image.", { maxTokens: 4 }));
      await vlm.dispose();
      return { answered: text !== "", code, ran: window.ran };
    }, server.url);
    assert.deepEqual(outcome, { answered: true, code: "invalid_image", ran: undefined });
    assert.deepEqual(
      requests.filter((url) => url.includes("stolen")),
      [],
    );
    assert.ok(requests.some((url) => url.endsWith("/dist/page-parts.mjs")));
  });
});
