// A page that ends in the middle of a load: its worker is killed, it is reloaded, its tab is
// closed. The next load is right and fetches only what is missing. KILLS=200 for so many moments.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { startFaultyServer } from "../js-sdk/test/faulty-server.mjs";
import { seededIntegers } from "../js-sdk/test/kill-points.mjs";
import { demoModelPath, lacks, launchBrowser, serve, withSdk } from "./harness.mjs";

const kills = Number(process.env.KILLS ?? 12);
const longestLingerMs = 100;

/** What ends a load; each returns the page that goes on. */
const ends = {
  async "the worker is killed"(page) {
    await page.evaluate(() => loadingWorker.terminate());
    return page;
  },
  async "the page is reloaded"(page) {
    await page.reload();
    return page;
  },
  async "the tab is closed"(page) {
    const other = await page.context().newPage();
    await other.goto(page.url());
    await page.close();
    return other;
  },
};

const possible = Object.entries(ends).filter(
  ([how]) => how === "the worker is killed" || !lacks("storage that outlives a page"),
);

/** What is kept once the worker is gone, which a browser takes some time for. */
async function listKept() {
  while ((await navigator.locks.query()).held.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return TinyVLM.cache.list();
}

describe("a page that ends while it loads a model", () => {
  const model = readFileSync(demoModelPath);
  let browser;
  let pages;
  let server;
  before(async () => {
    browser = await launchBrowser();
    pages = await serve();
    server = await startFaultyServer({ files: { model } });
  });
  after(async () => {
    await browser.close();
    await pages.close();
    await server.close();
  });

  /** Begins a load that is not waited for, and notes its worker. */
  const beginLoad = (page) =>
    page.evaluate((url) => {
      const Original = Worker;
      window.Worker = function (...args) {
        window.Worker = Original;
        window.loadingWorker = new Original(...args);
        return window.loadingWorker;
      };
      void TinyVLM.load(url, { threads: 1 }).catch(() => {});
    }, server.url("model"));

  /** An answer of the model, and the bytes that the server sent for it. */
  const loadAndAsk = async (page) => {
    server.reset();
    const text = await page.evaluate(async (url) => {
      const vlm = await TinyVLM.load(url, { threads: 1 });
      const { text } = await vlm.ask(null, "Say something.", { maxTokens: 4 });
      await vlm.dispose();
      return text;
    }, server.url("model"));
    return { text, fetched: server.bytesSent() };
  };

  test(
    `at ${kills} moments: the next load goes on where it was`,
    { timeout: 60_000 + 10_000 * kills },
    async (t) => {
      const moments = seededIntegers({ seed: 30, count: kills, from: 0, to: model.length });
      const lingers = seededIntegers({ seed: 31, count: kills, from: 0, to: longestLingerMs });
      let total = 0;
      await withSdk(browser, pages, async (first) => {
        // A profile in memory may keep only what somebody has open.
        await first.evaluate(async () => void (window.keptOpen = await caches.open("tiny-vlm")));
        const { text: wanted } = await loadAndAsk(first);
        let page = first;
        for (const [index, afterBytes] of moments.entries()) {
          const [how, end] = possible[index % possible.length];
          const where = `${how} after ${afterBytes} bytes and ${lingers[index]} ms`;
          await page.evaluate(() => TinyVLM.cache.clear());
          await server.settled();
          server.reset();
          const held = server.hold(afterBytes);
          await beginLoad(page);
          assert(await held, where);
          await new Promise((resolve) => setTimeout(resolve, lingers[index]));
          page = await end(page);
          server.release();
          await page.waitForFunction(() => window.isReady);
          await server.settled();
          const kept = await page.evaluate(listKept);
          const stored = kept[0]?.storedBytes ?? 0;
          assert.deepEqual(
            await loadAndAsk(page),
            { text: wanted, fetched: model.length - stored },
            where,
          );
          assert.deepEqual(await loadAndAsk(page), { text: wanted, fetched: 0 }, where);
          total += stored;
        }
      });
      t.diagnostic(`${kills} ends, ${(total / kills / 1e6).toFixed(1)} MB stored before each`);
    },
  );
});
