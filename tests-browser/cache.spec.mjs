// Models that are kept on the device, in a real browser: a second visit without the network, a
// reload and a killed worker in mid-download, two tabs at once, a server that drops the line.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { startFaultyServer } from "../js-sdk/test/faulty-server.mjs";
import { demoModelPath, lacks, launchBrowser, root, serve, withSdk } from "./harness.mjs";

const model = readFileSync(demoModelPath);
const chunkBytes = 1 << 20;
const withoutFiles = "if(navigator.storage)navigator.storage.getDirectory=undefined;";

// A checkpoint of our own, without a tokenizer.
const checkpoint = join(root, "tests-native", "goldens", "t0-llava");
const checkpointNames = readdirSync(checkpoint).filter((name) => !name.startsWith("case-"));
const checkpointFiles = () =>
  Object.fromEntries(
    checkpointNames.map((name) => [`t0-llava/${name}`, readFileSync(join(checkpoint, name))]),
  );

describe("the cache", () => {
  let browser;
  let server;
  let files;
  before(async () => {
    browser = await launchBrowser();
    server = await serve();
    // A line goes silent before it breaks: what a page has not read by then is lost.
    const silenceMs = 500;
    files = await startFaultyServer({
      files: { "model.gguf": model, ...checkpointFiles() },
      silenceMs,
    });
  });
  after(async () => {
    await browser.close();
    await server.close();
    await files.close();
  });
  beforeEach(() => files.reset());

  const url = () => files.url("model.gguf");
  // Every page begins with nothing kept: they share an origin.
  const withEmptyCache = (body) =>
    withSdk(browser, server, async (page) => {
      await page.evaluate(async () => {
        await TinyVLM.cache.clear();
        // A profile in memory may keep only what somebody has open.
        window.keptOpen = await caches.open("tiny-vlm");
      });
      await body(page);
    });

  // The answer of a worker in which `statements` run first; with the warnings of its load.
  const answerWithout = (page, statements) =>
    page.evaluate(
      async ([at, before]) => {
        const source = await (await fetch("/dist/worker.mjs")).text();
        const workerUrl = URL.createObjectURL(
          new Blob([before + source], { type: "text/javascript" }),
        );
        const warnings = [];
        const vlm = await TinyVLM.load(at, {
          threads: 1,
          workerUrl,
          onWarning: (warning) => warnings.push(warning),
        });
        const { text } = await vlm.ask(
          "/examples-web/samples/sample-5.png",
          "How many objects do you see?",
        );
        await vlm.dispose();
        return { text, warnings };
      },
      [url(), statements],
    );

  /** Loads the model and asks about a sample; times in ms. */
  const loadAndAsk = (page, address = url()) =>
    page.evaluate(async (address) => {
      const began = performance.now();
      const progress = [];
      const warnings = [];
      const outcome = await settle(
        TinyVLM.load(address, {
          onProgress: (step) => progress.push(step),
          onWarning: (warning) => warnings.push(warning),
        }),
      );
      if (!outcome.value) return { ...outcome, warnings };
      const readyMs = performance.now() - began;
      const { text } = await outcome.value.ask(
        "/examples-web/samples/sample-5.png",
        "How many objects do you see?",
      );
      await outcome.value.dispose();
      const last = progress[progress.length - 1];
      return { text, readyMs, warnings, cachedBytes: last.cachedBytes, progress };
    }, address);

  /** Reloads the page in mid-download, when 3 MiB are kept. */
  const reloadOnceKept = async (page) => {
    await page.evaluate(async () => {
      for (let kept; !(kept?.storedBytes >= 3 << 20); [kept] = await TinyVLM.cache.list())
        await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await page.reload();
    await page.waitForFunction(() => window.isReady);
    files.reset();
  };

  const stays = { skip: lacks("storage that outlives a page") };
  test("the second visit needs no network for the model", stays, async () => {
    await withEmptyCache(async (page) => {
      const host = await startFaultyServer({ files: { "model.gguf": model } });
      const address = host.url("model.gguf");
      const first = await loadAndAsk(page, address);
      assert.equal(first.text, "Two.");
      assert.deepEqual(first.warnings, []);
      assert.equal(host.bytesSent(), model.length);
      await host.close();
      await page.reload();
      await page.waitForFunction(() => window.isReady);
      const second = await loadAndAsk(page, address);
      assert.equal(second.text, "Two.");
      assert.equal(second.cachedBytes, model.length);
      const [kept, ...more] = await page.evaluate(() => TinyVLM.cache.list());
      assert.equal(more.length, 0);
      assert.deepEqual([kept.url, kept.storedBytes], [address, model.length]);
      const { usedBytes, freeBytes } = await page.evaluate(() => TinyVLM.cache.estimate());
      assert.equal(usedBytes, model.length);
      assert(freeBytes > 0);
      assert.equal(await page.evaluate((at) => TinyVLM.cache.delete(at), address), true);
      assert.equal(await page.evaluate((at) => TinyVLM.cache.delete(at), address), false);
      assert.deepEqual(await page.evaluate(() => TinyVLM.cache.list()), []);
    });
  });

  test("a reload in mid-download goes on where it was", stays, async () => {
    await withEmptyCache(async (page) => {
      files.plan("model.gguf", [{ name: "stall", at: 4 * chunkBytes }]);
      await page.evaluate((at) => void TinyVLM.load(at).catch(() => {}), url());
      await reloadOnceKept(page);
      const again = await loadAndAsk(page);
      assert.equal(again.text, "Two.");
      assert.deepEqual(again.warnings, []);
      const [request, ...more] = files.requests();
      assert.equal(more.length, 0);
      assert.equal(request.status, 206);
      assert(again.cachedBytes >= 3 << 20, String(again.cachedBytes));
      assert.equal(request.bodyBytes, model.length - again.cachedBytes);
    });
  });

  test("two tabs that load at once fetch once, and both answer", async () => {
    await withEmptyCache(async (page) => {
      const other = await page.context().newPage();
      await other.goto(page.url());
      await other.waitForFunction(() => window.isReady);
      const both = await Promise.all([loadAndAsk(page), loadAndAsk(other)]);
      assert.deepEqual(
        both.map(({ text }) => text),
        ["Two.", "Two."],
      );
      assert.equal(files.bytesSent(), model.length);
    });
  });

  test("a tab reads a kept model while another one has it", async () => {
    await withEmptyCache(async (page) => {
      assert.equal((await loadAndAsk(page)).text, "Two.");
      files.reset();
      // The other one loads very slowly: it has the lock of what is kept.
      const [lock] = await page.evaluate(async (at) => {
        const bytes = new TextEncoder().encode(at);
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
        const name = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
        void navigator.locks.request(`tiny-vlm/${name}`, () => new Promise(() => {}));
        return (await navigator.locks.query()).held.map(({ name }) => name);
      }, url());
      assert.match(lock, /^tiny-vlm\/[0-9a-f]{32}$/);
      const again = await loadAndAsk(page);
      assert.equal(again.text, "Two.");
      assert.deepEqual(again.warnings, []);
      assert.equal(again.cachedBytes, model.length);
      assert.equal(files.requests().length, 0);
    });
  });

  test("a line that drops, a wrong byte and a server in trouble change nothing", async () => {
    await withEmptyCache(async (page) => {
      files.plan("model.gguf", [
        { name: "drop", at: 2 * chunkBytes },
        { name: "status-503-bare" },
        { name: "reset", at: 3 * chunkBytes },
        { name: "alter", at: 5 * chunkBytes },
      ]);
      const { text, warnings } = await loadAndAsk(page);
      assert.equal(text, "Two.");
      assert.deepEqual(warnings, []);
      assert.deepEqual(files.unmet(), []);
      // A chunk for each fault that spoils bytes: those under way are lost with a connection.
      const most = model.length + 3 * chunkBytes;
      assert(files.bytesSent() <= most, `${files.bytesSent()} bytes, wanted at most ${most}`);
    });
  });

  test("cancelling a load keeps what has come", async () => {
    await withEmptyCache(async (page) => {
      files.plan("model.gguf", [{ name: "stall", at: 4 * chunkBytes }]);
      const code = await page.evaluate(async (at) => {
        const controller = new AbortController();
        const onProgress = ({ loadedBytes }) => {
          if (loadedBytes > 3.5 * (1 << 20)) controller.abort();
        };
        return (await settle(TinyVLM.load(at, { signal: controller.signal, onProgress }))).code;
      }, url());
      assert.equal(code, "aborted");
      files.reset();
      const again = await loadAndAsk(page);
      assert.equal(again.text, "Two.");
      assert(again.cachedBytes >= 2 << 20, String(again.cachedBytes));
    });
  });

  test("an early model is asked about an image before its last byte is there", async () => {
    await withEmptyCache(async (page) => {
      const held = files.hold(model.length - 1000);
      const answer = page.evaluate(async (at) => {
        const phases = [];
        const vlm = await TinyVLM.load(at, {
          early: true,
          onProgress: ({ phase }) => phases.push(phase),
        });
        const asked = ask(
          vlm,
          "/examples-web/samples/sample-5.png",
          "How many objects do you see?",
        );
        window.isAsked = true;
        const { text } = await asked;
        await vlm.whenReady;
        await vlm.dispose();
        return { text, last: phases[phases.length - 1] };
      }, url());
      await page.waitForFunction(() => window.isAsked);
      await held;
      files.release();
      assert.deepEqual(await answer, { text: "Two.", last: "ready" });
    });
  });

  test("a checkpoint is converted in the page: once from the web, and picked files", async () => {
    await withEmptyCache(async (page) => {
      const load = (type, picked = false) =>
        page.evaluate(
          async ([base, names, type, picked]) => {
            const get = async (name) => new File([await (await fetch(base + name)).blob()], name);
            const source = picked ? await Promise.all(names.map(get)) : base;
            const warnings = [];
            const vlm = await TinyVLM.load(source, {
              type,
              onWarning: (warning) => warnings.push(warning),
            });
            const { fileBytes } = vlm.info;
            await vlm.dispose();
            return { fileBytes, warnings };
          },
          [files.url("t0-llava/"), checkpointNames, type, picked],
        );
      const first = await load("q4_0");
      assert.match(first.warnings.join(), /no tokenizer/);
      assert(files.requests().length > 0);
      files.reset();
      const second = await load("q4_0");
      assert.equal(second.fileBytes, first.fileBytes);
      assert.equal(files.requests().length, 0);
      const other = await load("f16");
      assert(other.fileBytes > first.fileBytes);
      assert.equal((await load("q4_0", true)).fileBytes, first.fileBytes);
    });
  });

  test("the parts of a file are one model, which goes on where it was", stays, async () => {
    await withEmptyCache(async (page) => {
      const middle = 2.5 * chunkBytes;
      files.put("part-0", model.subarray(0, middle));
      files.put("part-1", model.subarray(middle));
      const parts = [files.url("part-0"), files.url("part-1")];
      files.plan("part-1", [{ name: "stall", at: 2 * chunkBytes }]);
      await page.evaluate((parts) => void TinyVLM.load({ parts }).catch(() => {}), parts);
      await reloadOnceKept(page);
      const again = await loadAndAsk(page, { parts });
      assert.equal(again.text, "Two.");
      assert.deepEqual(again.warnings, []);
      assert(again.cachedBytes >= 3 << 20, String(again.cachedBytes));
      // The size of the first part is asked for with a range of one byte.
      assert.equal(files.bytesSent("part-0"), 1);
      assert.equal(files.bytesSent("part-1"), model.length - again.cachedBytes);
      files.reset();
      assert.equal((await loadAndAsk(page, { parts })).text, "Two.");
      assert.equal(files.requests().length, 0);
      const kept = await page.evaluate(() => TinyVLM.cache.list());
      assert.deepEqual(
        kept.map(({ url }) => url),
        [parts[0]],
      );
    });
  });

  test("a stream of the page's own is a source", async () => {
    await withEmptyCache(async (page) => {
      const load = (read) =>
        page.evaluate(
          async ([at, read]) => {
            const { body } = await fetch(at);
            if (read) body.getReader();
            const outcome = await settle(TinyVLM.load(body));
            if (!outcome.value) return outcome;
            const { text } = await outcome.value.ask(
              "/examples-web/samples/sample-5.png",
              "How many objects do you see?",
            );
            await outcome.value.dispose();
            return { text };
          },
          [url(), read],
        );
      assert.deepEqual(await load(false), { text: "Two." });
      const { code, message } = await load(true);
      assert.equal(code, "invalid_argument");
      assert.match(message, /a stream that nobody reads/);
    });
  });

  test("where there is no file system, the Cache API keeps the model", async () => {
    await withEmptyCache(async (page) => {
      const load = () => answerWithout(page, withoutFiles);
      assert.deepEqual(await load(), { text: "Two.", warnings: [] });
      assert.equal(files.bytesSent(), model.length);
      files.reset();
      assert.deepEqual(await load(), { text: "Two.", warnings: [] });
      assert.equal(files.requests().length, 0);
    });
  });

  test("the Cache API: a piece that is altered is fetched alone", async () => {
    await withEmptyCache(async (page) => {
      const load = () => answerWithout(page, withoutFiles);
      await load();
      files.reset();
      await page.evaluate(async () => {
        const cache = await caches.open("tiny-vlm");
        const piece = (await cache.keys()).find(({ url }) => /\/piece\/3\//.test(url));
        const bytes = new Uint8Array(await (await cache.match(piece)).arrayBuffer());
        bytes[bytes.length >> 1] ^= 1;
        await cache.put(piece, new Response(bytes));
      });
      assert.deepEqual(await load(), { text: "Two.", warnings: [] });
      assert.equal(files.bytesSent(), chunkBytes);
      files.reset();
      assert.deepEqual(await load(), { text: "Two.", warnings: [] });
      assert.equal(files.requests().length, 0);
    });
  });

  test("the Cache API: a whole entry is read along while another worker has it", async () => {
    await withEmptyCache(async (page) => {
      const load = () => answerWithout(page, withoutFiles);
      await load();
      files.reset();
      const taken = await page.evaluate(async () => {
        const cache = await caches.open("tiny-vlm");
        const [{ url }] = await cache.keys();
        const name = `tiny-vlm/${new URL(url).pathname.split("/")[1]}`;
        return new Promise((resolve) => {
          void navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
            resolve(lock !== null);
            await new Promise((release) => (window.release = release));
          });
        });
      });
      assert(taken);
      assert.deepEqual(await load(), { text: "Two.", warnings: [] });
      assert.equal(files.requests().length, 0);
      await page.evaluate(() => window.release());
    });
  });

  test("where nothing can be kept the model runs, with one warning that says why", async () => {
    await withEmptyCache(async (page) => {
      // As in a private window.
      const { text, warnings } = await answerWithout(
        page,
        "if(navigator.storage)navigator.storage.getDirectory=" +
          "()=>Promise.reject(new DOMException('no','SecurityError'));" +
          "CacheStorage.prototype.open=()=>Promise.reject(new DOMException('no storage here','SecurityError'));",
      );
      assert.equal(text, "Two.");
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], /not stored on this device: .*no storage here/);
    });
  });
});
