// "I only have a web page and a script tag."
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, serve, withPage } from "./harness.mjs";

describe("script tag", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  for (const isolated of [true, false]) {
    test(`the example page answers, ${isolated ? "isolated" : "not isolated"}`, async () => {
      const server = await serve({ isolated });
      try {
        await withPage(browser, `${server.url}/examples-web/script-tag.html`, async (page) => {
          await page.click("button");
          await page.waitForFunction(() =>
            document.querySelector("output").textContent.endsWith("."),
          );
          assert.equal(
            await page.textContent("output"),
            "A peach, a penguin and a violin on a yellow background.",
          );
          assert.deepEqual(
            await page.evaluate(() => [typeof TinyVLM.load, typeof TinyVLM.TinyVLMError]),
            ["function", "function"],
          );
        });
      } finally {
        await server.close();
      }
    });
  }

  test("the script works from another origin than the page's", async () => {
    const cdn = await serve({ cors: true });
    const page = await serve({
      routes: {
        "/page.html": (request, response) =>
          response
            .writeHead(200, { "Content-Type": "text/html" })
            .end(`<!doctype html><script src="${cdn.url}/dist/tiny-vlm.iife.js"></script>`),
      },
    });
    try {
      await withPage(browser, `${page.url}/page.html`, async (tab) => {
        const text = await tab.evaluate(async () => {
          const vlm = await TinyVLM.load();
          const { text } = await vlm.ask(
            "/examples-web/samples/sample-1.png",
            "Describe the image.",
          );
          await vlm.dispose();
          return text;
        });
        assert.equal(text, "A sunflower.");
      });
    } finally {
      await page.close();
      await cdn.close();
    }
  });
});
