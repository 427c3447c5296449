// The JavaScript and HTML of the documents does what they say: each block runs in a page of its
// own, with the values that the documents take for granted.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startFakeHub } from "../js-sdk/test/fake-hub.mjs";
import { snippets } from "../scripts/docs/snippets.mjs";
import {
  demoModelPath,
  lacks,
  launchBrowser,
  root,
  samplePath,
  serve,
  slowness,
} from "./harness.mjs";

/** Which file of the package a page gets for each of its names. */
function importMap() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const fileOf = (target) =>
    typeof target === "string" ? target : fileOf(target.browser ?? target.import ?? target.default);
  const imports = {};
  for (const [key, target] of Object.entries(exports))
    if (!key.includes("*")) imports[name + key.slice(1)] = fileOf(target).slice(1);
  return JSON.stringify({ imports });
}

// The values of scripts/docs/snippet-globals.d.ts.
const page = (hubUrl) => `<!doctype html>
<script type="importmap">${importMap()}</script>
<output></output><video muted></video>
<script type="module">
import { TinyVLM, TinyVLMError } from "tiny-vlm";
const hasCamera = ${!lacks("a camera")};
const hubUrl = ${JSON.stringify(hubUrl)};
const blob = await (await fetch("/examples-web/samples/sample-1.png")).blob();
const file = new File([blob], "image.png", { type: "image/png" });
const model = await (await fetch("/dist/model/tiny-vlm-demo.gguf")).blob();
const out = document.querySelector("output");
const video = document.querySelector("video");
if (hasCamera) {
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
}
const canvas = document.createElement("canvas");
canvas.getContext("2d").fillRect(0, 0, 50, 50);
Object.assign(globalThis, {
  TinyVLM, TinyVLMError, image: blob, photo: blob, left: blob, right: blob, file, out, canvas,
  video: hasCamera ? video : canvas,
  modelFile: new File([model], "model.gguf"),
  url: "/model.gguf",
  source: "/model.gguf",
  signal: new AbortController().signal,
  onProgress() {},
  show: (text) => out.append(text),
});
globalThis.vlm = await TinyVLM.load();
const load = TinyVLM.load;
TinyVLM.load = (source, options) => load.call(TinyVLM, source, { hubUrl, ...options });
globalThis.chat = vlm.chat();
globalThis.isReady = true;
</script>`;

describe("snippets of the documents", () => {
  let browser;
  let server;
  let hub;
  const routes = {};
  before(async () => {
    browser = await launchBrowser();
    hub = await startFakeHub({
      repos: {
        "owner/FastVLM-0.5B": { folder: join(root, "tests-native", "goldens", "t0-hf") },
      },
    });
    const answer = (body, type) => (_, response) =>
      response.writeHead(200, { "Content-Type": type }).end(body);
    routes["/snippets.html"] = answer(page(hub.endpoint), "text/html");
    routes["/image.png"] = answer(readFileSync(samplePath("sample-1.png")), "image/png");
    routes["/model.gguf"] = answer(readFileSync(demoModelPath), "application/octet-stream");
    server = await serve({
      routes,
      cors: true,
      extraMounts: { "/tiny-vlm/": join(root, "dist") },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
    await hub.close();
  });

  // The documents' files are at an origin of their own; here they are the server's.
  const served = (code) =>
    code.replaceAll(/https:\/\/example\.com(\/[\w./-]+\.gguf)/g, (_, path) => {
      routes[path] = routes["/model.gguf"];
      return server.url + path;
    });

  /** What `body` does in a page; errors that nobody caught. */
  async function withContext(body) {
    const context = await browser.newContext({ permissions: ["camera"] });
    const wrong = [];
    try {
      const tab = await context.newPage();
      tab.setDefaultTimeout(30_000 * slowness);
      tab.on("pageerror", (error) => wrong.push(error.message));
      await body(tab);
      return wrong;
    } finally {
      await context.close();
    }
  }

  const runs = ({ word }) => word === undefined;
  for (const { path, line, code } of snippets("js").filter(runs))
    test(`${path}:${line} runs`, async () => {
      routes["/snippet.mjs"] = (_, response) =>
        response.writeHead(200, { "Content-Type": "text/javascript" }).end(served(code));
      const wrong = await withContext(async (tab) => {
        await tab.goto(`${server.url}/snippets.html`);
        await tab.waitForFunction(() => window.isReady);
        await tab.evaluate(() => import("/snippet.mjs"));
      });
      assert.deepEqual(wrong, []);
    });

  for (const { path, line, code } of snippets("html").filter(runs))
    test(`${path}:${line} is a page that works`, async () => {
      routes["/snippet.html"] = (_, response) =>
        response
          .writeHead(200, { "Content-Type": "text/html" })
          .end(`<!doctype html><script type="importmap">${importMap()}</script>${served(code)}`);
      const wrong = await withContext(async (tab) => {
        await tab.goto(`${server.url}/snippet.html`);
        // Pages of the documents show an answer in an <output>.
        if (code.includes("<output"))
          await tab.waitForFunction(() => document.querySelector("output").textContent !== "");
        const missing = await tab.evaluate(
          () =>
            performance
              .getEntriesByType("resource")
              .filter(({ responseStatus }) => responseStatus >= 400)
              .map(({ name }) => name)
              .filter((name) => !name.endsWith("/favicon.ico")), // the browser wants it for itself
        );
        assert.deepEqual(missing, []);
      });
      assert.deepEqual(wrong, []);
    });
});
