// Every fault of js-sdk/test/faults.mjs in a page: the right model or the right error, and nothing
// fetched twice but for a fault. The files are of another origin than the page, so that it reads of
// their headers what CORS lets it. FAULTS=drop,stall takes only these.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { complaint, shortFault, states, tableOf } from "../js-sdk/test/fault-outcomes.mjs";
import { faultNames } from "../js-sdk/test/faults.mjs";
import { startFaultyServer } from "../js-sdk/test/faulty-server.mjs";
import { bytesContent } from "../js-sdk/test/http-answers.mjs";
import { otherWeights } from "../js-sdk/test/model-version.mjs";
import { demoModelPath, lacks, launchBrowser, serve, withSdk } from "./harness.mjs";

const chunkBytes = 1 << 20;
// Pages side by side, each with a server of its own: most of the time is spent waiting.
const lanes = 4;
// About 20 MB a second, and 4 where the page is to hang up: so what it is sent until then stays
// below a chunk, on a busy machine, too. A line goes silent before it breaks, because a browser
// throws away what the page has not read by then: Chromium up to some 3 MB, which on the loopback
// arrive before the page has read anything.
const refused = /range|no-cors|compress|change/;
const line = {
  pace: (fault) => ({ bytes: 64 << 10, ms: fault && refused.test(fault.name) ? 15 : 3 }),
  silenceMs: 1000,
};

describe("faults in a page", () => {
  let browser;
  let pages;
  let file;
  let nextFile;
  before(async () => {
    file = readFileSync(demoModelPath);
    nextFile = otherWeights(file);
    browser = await launchBrowser();
    pages = await serve();
  });
  after(async () => {
    await browser.close();
    await pages.close();
  });

  const named = process.env.FAULTS?.split(",") ?? faultNames;

  test("every fault, cold, half cached and cached", async (t) => {
    const content = { ...bytesContent(file), next: nextFile };
    const cases = named.flatMap((name) => states.map((state) => ({ name, state })));
    const rows = [];
    const complaints = [];
    const lane = async () => {
      const server = await startFaultyServer({ files: { model: content }, ...line });
      try {
        await withSdk(browser, pages, async (page) => {
          const world = { page, server, file, nextFile };
          const kept = {
            cold: await page.evaluateHandle(() => []),
            "half cached": await halfCached(world),
          };
          kept.cached = await whollyCached(world);
          for (let one; (one = cases.shift());) {
            const row = await loadOver(world, one, kept[one.state]);
            rows.push(row);
            const wrong = row.wrong ?? complaint(row, { chunkBytes, fileBytes: file.length });
            if (wrong) complaints.push(`${row.name}, ${row.state}: ${wrong}`);
          }
        });
      } finally {
        await server.close();
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    for (const line of tableOf(rows)) t.diagnostic(line);
    assert.deepEqual(complaints, []);
  });
});

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** How a load in the page ends; `options` besides those that make it quick. */
const load = ({ page, server }, options = {}) =>
  page.evaluate(
    ([url, given]) =>
      tryLoad(url, { variant: "simd", threads: 1, stallTimeout: 2000, onWarning() {}, ...given }),
    [server.url("model"), options],
  );

/** Half of the file, kept by a load that was aborted. */
async function halfCached(world) {
  const { server, page, file } = world;
  server.plan("model", [{ name: "stall" }]);
  await page.evaluate(
    async ([url, bytes]) => {
      const controller = new AbortController();
      const loading = tryLoad(url, { variant: "simd", signal: controller.signal });
      for (let kept; !(kept?.storedBytes >= bytes); [kept] = await TinyVLM.cache.list())
        await new Promise((resolve) => setTimeout(resolve, 20));
      controller.abort();
      await loading;
    },
    [server.url("model"), file.length / 2 - 2 * chunkBytes],
  );
  return page.evaluateHandle(store.take);
}

async function whollyCached(world) {
  await world.server.settled();
  world.server.reset();
  assert.deepEqual(await load(world), { loaded: true });
  return world.page.evaluateHandle(store.take);
}

/** A load over a fault, and a second one that shows what the first has kept. */
async function loadOver(world, { name, state }, kept) {
  const { page, server, file, nextFile } = world;
  const before = await page.evaluate(store.put, kept);
  server.reset();
  // A signed address must not run out before it is asked for once, on a busy machine, too.
  const fault = shortFault(name);
  server.plan("model", [name === "redirect-signed" ? { ...fault, ms: 2000 } : fault]);
  const { code } = await load(world);
  await server.settled();
  const met = server.requests().some(({ fault }) => fault === name);
  const fetched = server.bytesSent();
  const asked = server.requests().length > 0;
  let digest = await keptDigest(page);
  const isNext = name.startsWith("change") && met && digest === sha256(nextFile);
  // Of another version nothing was kept.
  const needed = isNext ? nextFile.length : file.length - before;
  const row = { name, state, code, met, needed, fetched };
  if (asked) {
    server.reset();
    const again = await load(world);
    await server.settled();
    if (again.code) row.wrong = `the load after it: ${again.message}`;
    else if (!code && server.requests().length > 0) row.wrong = "the load after it fetched again";
    digest = await keptDigest(page);
  }
  if (digest !== sha256(isNext ? nextFile : file)) row.wrong ??= "other bytes are kept";
  return row;
}

// ---- in the page: what is kept, taken out and put back, as files or in the Cache API

const inFiles = {
  take: async () => {
    const root = await navigator.storage.getDirectory();
    const entries = [];
    for await (const entry of (await root.getDirectoryHandle("tiny-vlm")).values()) {
      for await (const handle of entry.values())
        entries.push({
          folder: entry.name,
          name: handle.name,
          bytes: await (await handle.getFile()).arrayBuffer(),
        });
    }
    return entries;
  },

  /** In place of what is kept; bytes of the file that it holds. */
  put: async (files) => {
    await TinyVLM.cache.clear();
    const root = await navigator.storage.getDirectory();
    const top = await root.getDirectoryHandle("tiny-vlm", { create: true });
    for (const { folder, name, bytes } of files) {
      const parent = await top.getDirectoryHandle(folder, { create: true });
      const handle = await parent.getFileHandle(name, { create: true });
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
    }
    return (await TinyVLM.cache.list())[0]?.storedBytes ?? 0;
  },

  /** The bytes of the one file that is kept. */
  read: async () => {
    const root = await navigator.storage.getDirectory();
    for await (const entry of (await root.getDirectoryHandle("tiny-vlm")).values())
      return (await entry.getFileHandle("data")).getFile();
    return null;
  },
};

const inCache = {
  take: async () => {
    window.keptOpen = await caches.open("tiny-vlm");
    const entries = [];
    for (const { url } of await window.keptOpen.keys())
      entries.push({ url, bytes: await (await window.keptOpen.match(url)).arrayBuffer() });
    return entries;
  },

  put: async (entries) => {
    await TinyVLM.cache.clear();
    window.keptOpen = await caches.open("tiny-vlm");
    for (const { url, bytes } of entries) await window.keptOpen.put(url, new Response(bytes));
    return (await TinyVLM.cache.list())[0]?.storedBytes ?? 0;
  },

  read: async () => {
    const cache = await caches.open("tiny-vlm");
    const pieces = [];
    for (const { url } of await cache.keys()) {
      const [, piece] = /\/piece\/(\d+)\//.exec(url) ?? [];
      if (piece) pieces[piece] = await (await cache.match(url)).blob();
    }
    return pieces.length > 0 ? new Blob(pieces) : null;
  },
};

const store = lacks("a file system of its own") ? inCache : inFiles;

/** The SHA-256 of the one file that is kept, in hexadecimal digits. */
async function keptDigest(page) {
  const file = await page.evaluateHandle(store.read);
  return page.evaluate(async (file) => {
    if (!file) return "nothing";
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
  }, file);
}
