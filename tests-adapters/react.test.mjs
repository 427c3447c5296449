// tiny-vlm/react's hook in React 18 and 19: on a page in Chromium, under StrictMode, and on a server.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { sample } from "./samples.mjs";

const root = process.cwd();
const { launchChromium, serve, withPage } = await import(
  pathToFileURL(join(root, "tests-browser", "harness.mjs"))
);
const first = sample(0);

// What a page does with the hook: shows its state, and asks at a click.
const app = `
  import { createElement as h, StrictMode, useEffect, useState } from "react";
  import { createRoot } from "react-dom/client";
  import { useTinyVLM } from "../node_modules/tiny-vlm/dist/adapters/react.mjs";

  const { Worker } = window;
  window.workers = [];
  window.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      window.workers.push(this);
      this.isRunning = true;
    }
    terminate() {
      this.isRunning = false;
      super.terminate();
    }
  };

  function Model({ enabled, source }) {
    const shown = useTinyVLM(source, { threads: 1, cache: false, enabled, onWarning() {} });
    const { status, progress, error, text, isAnswering, answer, ask, stop } = shown;
    window.texts ??= [];
    if (window.texts.at(-1) !== text) window.texts.push(text);
    window.asks ??= new Set();
    useEffect(() => void window.asks.add(ask));
    // In mid-answer: from outside the page it could come too late.
    useEffect(() => void (window.stopAt && text.length > window.stopAt && stop()), [text]);
    return h("div", null,
      h("p", { id: "status" }, status),
      h("p", { id: "phase" }, progress?.phase),
      h("p", { id: "error" }, error?.code),
      h("p", { id: "text" }, text),
      h("p", { id: "busy" }, String(isAnswering)),
      h("p", { id: "reason" }, answer?.finishReason),
      h("button", { id: "ask", onClick: () => ask(window.image, window.question) }),
      h("button", { id: "babble", onClick: () => ask(null, "Hi", { temperature: 50, seed: 1, maxTokens: 1900 }) }),
    );
  }

  function App() {
    const [shows, setShows] = useState(true);
    const [enabled, setEnabled] = useState(!window.waits);
    const [source, setSource] = useState(undefined);
    Object.assign(window, { setShows, setEnabled, setSource });
    return shows && h(Model, { enabled, source });
  }
  createRoot(document.body.appendChild(document.createElement("div"))).render(
    h(StrictMode, null, h(App)),
  );`;

for (const [major, react, dom] of [
  [18, "react18", "react18-dom"],
  [19, "react", "react-dom"],
]) {
  describe(`React ${major}`, () => {
    let browser;
    let server;
    let bundle;
    before(async () => {
      const { outputFiles } = await build({
        stdin: { contents: app, resolveDir: import.meta.dirname },
        bundle: true,
        write: false,
        format: "esm",
        platform: "browser",
        // The page has the SDK itself at an address beside which worker and wasm are.
        external: ["tiny-vlm"],
        absWorkingDir: import.meta.dirname,
        alias: { react, "react-dom": dom },
        define: { "process.env.NODE_ENV": '"development"' },
        logLevel: "error",
      });
      bundle = outputFiles[0].text;
      browser = await launchChromium();
      const page = (_, response) =>
        response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html>
          <script type="importmap">{ "imports": { "tiny-vlm": "/dist/index.mjs" } }</script>
          <script>window.waits = location.search === "?waits";</script>
          <script type="module" src="/bundle.js"></script>`);
      server = await serve({
        routes: {
          "/page.html": page,
          "/bundle.js": (_, response) =>
            response.writeHead(200, { "content-type": "text/javascript" }).end(bundle),
        },
      });
    });
    after(async () => {
      await browser.close();
      await server.close();
    });

    const withApp = (body, query = "") =>
      withPage(browser, `${server.url}/page.html${query}`, async (page) => {
        const shown = (id) => page.textContent(`#${id}`);
        const until = (id, text) =>
          page.waitForFunction(
            ([at, wanted]) => document.querySelector(at)?.textContent === wanted,
            [`#${id}`, text],
          );
        const running = () =>
          page.evaluate(() => window.workers.filter(({ isRunning }) => isRunning).length);
        await page.evaluate(
          ([base64, question]) => {
            const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
            Object.assign(window, { image: new Blob([bytes]), question });
          },
          [first.base64, first.question],
        );
        await body(page, { shown, until, running });
      });

    test("loads once in StrictMode, streams an answer, stops, disposes when it goes", () =>
      withApp(async (page, { shown, until, running }) => {
        await until("status", "ready");
        assert.equal(await shown("phase"), "ready");
        assert.equal(await page.evaluate(() => window.workers.length), 1);
        await page.click("#ask");
        await until("text", first.answer);
        await until("busy", "false");
        assert.equal(await shown("reason"), "stop");
        const texts = await page.evaluate(() => window.texts);
        assert(texts.length > 3, texts.join(" | "));
        await page.evaluate(() => (window.stopAt = 30));
        await page.click("#babble");
        await until("reason", "cancelled");
        assert.equal(await shown("error"), "");
        assert.equal(await page.evaluate(() => window.asks.size), 1);
        await page.evaluate(() => window.setShows(false));
        await page.waitForFunction(() => window.workers.every(({ isRunning }) => !isRunning));
        await page.evaluate(() => window.setShows(true));
        await until("status", "ready");
        assert.equal(await running(), 1);
      }));

    test("goes in mid-answer and in mid-load without a trace", () =>
      withApp(async (page, { until, running }) => {
        await page.evaluate(() => window.setShows(false));
        await page.waitForFunction(() => window.workers.every(({ isRunning }) => !isRunning));
        await page.evaluate(() => window.setShows(true));
        await until("status", "ready");
        await page.click("#babble");
        await page.waitForFunction(() => document.querySelector("#text").textContent.length > 5);
        await page.evaluate(() => window.setShows(false));
        await page.waitForFunction(() => window.workers.every(({ isRunning }) => !isRunning));
        assert.equal(await running(), 0);
      }));

    test("another source replaces the model; one that is not there says why", () =>
      withApp(async (page, { shown, until, running }) => {
        await until("status", "ready");
        await page.evaluate(() => window.setSource("/dist/none.gguf"));
        await until("status", "failed");
        assert.equal(await shown("error"), "http");
        await page.evaluate(() => window.setSource("/dist/model/tiny-vlm-demo.gguf"));
        await until("status", "ready");
        await page.click("#ask");
        await until("text", first.answer);
        await page.waitForFunction(
          () => window.workers.filter(({ isRunning }) => isRunning).length === 1,
        );
        assert.equal(await running(), 1);
      }));

    test("enabled: false waits for true, or for the first question", () =>
      withApp(async (page, { shown, until }) => {
        assert.equal(await shown("status"), "idle");
        assert.equal(await page.evaluate(() => window.workers.length), 0);
        await page.click("#ask");
        await until("text", first.answer);
        await page.evaluate(() => window.setShows(false));
        await page.evaluate(() => window.setShows(true));
        await until("status", "idle");
        await page.evaluate(() => window.setEnabled(true));
        await until("status", "ready");
      }, "?waits"));

    test("renders on a server", () => {
      const script = `
        import { createElement } from "react";
        import { renderToString } from "react-dom/server";
        import { useTinyVLM } from "tiny-vlm/react";
        const Model = () => createElement("p", null, useTinyVLM("/model.gguf").status);
        if (renderToString(createElement(Model)) !== "<p>idle</p>") throw new Error("another page");`;
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--input-type=module", "-e", script],
        {
          cwd: import.meta.dirname,
          encoding: "utf8",
        },
      );
      assert.equal(status, 0, stderr);
    });
  });
}
