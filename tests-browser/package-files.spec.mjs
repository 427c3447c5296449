// "My bundler copied the script and nothing else", and other places where the package's files are
// not where the script expects them. Whole toolchains are tried by `npm run toolchains`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { join } from "node:path";
import { engine, lacks, launchBrowser, root, serve, withPage } from "./harness.mjs";

const html = (script) => (_request, response) =>
  response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html>${script}`);
const page = html('<script src="/only/tiny-vlm.iife.js"></script>');

// What `load` with these options rejects with, or the answer of the demo model.
const load = (tab, options = {}) =>
  tab.evaluate(async (options) => {
    try {
      const vlm = await TinyVLM.load(undefined, options);
      const { text } = await vlm.ask("/examples-web/samples/sample-1.png", "Describe the image.");
      await vlm.dispose();
      return { text };
    } catch ({ name, code, message, status }) {
      return { name, code, message, status };
    }
  }, options);

describe("where the package's files are", () => {
  let browser;
  let server;
  // The script alone; a folder with all of it; one with the workers alone.
  const redirects = {
    "/only/tiny-vlm.iife.js": "/dist/tiny-vlm.iife.js",
    "/workers/worker.mjs": "/dist/worker.mjs",
    "/workers/worker-mt.mjs": "/dist/worker-mt.mjs",
  };
  before(async () => {
    browser = await launchBrowser({ hosts: ["plain.test"] });
    server = await serve({
      isolated: true,
      redirects,
      routes: {
        "/page.html": page,
        "/html/worker.mjs": html("<title>the app</title>"),
        "/html/worker-mt.mjs": html("<title>the app</title>"),
      },
      extraMounts: { "/files/": join(root, "dist") },
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  // What `missing` tells of the instructions.
  const relaxed = lacks("relaxed SIMD") ? ["relaxed SIMD is not supported here"] : [];
  const inPage = (body) => withPage(browser, `${server.url}/page.html`, body);

  test("a missing worker ends in a sentence that names it and assetsUrl", () =>
    inPage(async (tab) => {
      const began = performance.now();
      const { name, code, message } = await load(tab, { assetsUrl: "/nowhere/" });
      assert.deepEqual([name, code], ["TinyVLMError", "worker"]);
      assert.match(message, /\/nowhere\/worker\.mjs .*copy-assets.*assetsUrl/);
      assert.ok(performance.now() - began < 10_000);
    }));

  test("so does a page that answers for the worker", () =>
    inPage(async (tab) => {
      const { code, message } = await load(tab, { assetsUrl: "/html/" });
      assert.equal(code, "worker");
      assert.match(message, /\/html\/worker\.mjs .*assetsUrl/);
    }));

  test("a missing wasm file does, too", () =>
    inPage(async (tab) => {
      const { code, message, status } = await load(tab, { assetsUrl: "/workers/" });
      assert.deepEqual([code, status], ["http", 404]);
      const file = `/workers/wasm/tiny-vlm-${engine.variants.isolated}.wasm`;
      assert.ok(message.includes(file), message);
      assert.match(message, /404.*assetsUrl/);
    }));

  test("a demo model that is not there names tiny-vlm/demo-model", () =>
    inPage(async (tab) => {
      const options = { workerUrl: "/files/", wasmUrl: "/files/wasm/" };
      const { code, message } = await load(tab, options);
      assert.equal(code, "http");
      assert.match(message, /model\/tiny-vlm-demo\.gguf.*404.*tiny-vlm\/demo-model/);
    }));

  test("assetsUrl finds all of them, the demo model and what is kept included", () =>
    inPage(async (tab) => {
      // A profile in memory may keep only what somebody has open.
      await tab.evaluate(async () => void (globalThis.keptOpen = await caches.open("tiny-vlm")));
      assert.deepEqual(await load(tab, { assetsUrl: "/files" }), { text: "A sunflower." });
      const kept = await tab.evaluate(() => TinyVLM.cache.list());
      assert.equal(kept.length, 1);
    }));

  test("what is kept cannot be listed without storage.mjs, which is named", () =>
    inPage(async (tab) => {
      const message = await tab.evaluate(() =>
        TinyVLM.cache.list().then(
          () => "listed",
          (error) => `${error.code}: ${error.message}`,
        ),
      );
      assert.match(message, /network: .*\/only\/storage\.mjs.*assetsUrl/);
    }));

  test("support tells what would run, and on plain http why there are no threads", async () => {
    const isolated = await inPage((tab) => tab.evaluate(() => TinyVLM.support()));
    assert.equal(isolated.variant, engine.variants.isolated);
    assert.deepEqual(isolated.missing, relaxed);
    const plain = `http://plain.test:${server.port}/page.html`;
    await withPage(browser, plain, async (tab) => {
      const { variant, threads, missing } = await tab.evaluate(() => TinyVLM.support());
      assert.deepEqual([variant, threads], [engine.variants.plain, 1]);
      assert.deepEqual(missing.slice(1), relaxed);
      assert.match(missing[0], /secure page \(https.*COOP and COEP/);
      const { code, message } = await load(tab, { variant: "simd-mt" });
      assert.equal(code, "unsupported");
      assert.match(message, /secure page/);
    });
  });

  test("without shared memory an isolated page uses one thread, and support says why", () =>
    inPage(async (tab) => {
      await tab.evaluate(() => delete globalThis.SharedArrayBuffer); // as WebKitGTK comes
      const { variant, threads, missing } = await tab.evaluate(() => TinyVLM.support());
      assert.deepEqual([variant, threads], [engine.variants.plain, 1]);
      assert.match(missing[0], /threads need SharedArrayBuffer/);
      const asked = await load(tab, { variant: "simd-mt", assetsUrl: "/files/" });
      assert.equal(asked.code, "unsupported");
      assert.match(asked.message, /SharedArrayBuffer/);
      assert.deepEqual(await load(tab, { assetsUrl: "/files/" }), { text: "A sunflower." });
    }));

  test("workers run as classic scripts, too", () =>
    inPage(async (tab) => {
      await tab.evaluate(() => {
        const Started = Worker;
        globalThis.Worker = class extends Started {
          constructor(url) {
            super(url);
          }
        };
      });
      assert.deepEqual(await load(tab, { assetsUrl: "/files/" }), { text: "A sunflower." });
    }));
});
