// A model file over a bad network into an engine: the right bytes or the right error, nothing
// fetched twice but for a fault, and nothing kept that is not right.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FolderStore } from "../src/loader/folder-store.js";
import { nodeFetch } from "../src/loader/node-fetch.js";
import { openNodeFolder } from "../src/loader/node-folder.js";
import { openModel } from "../src/loader/open-model.js";
import { TinyVLMError } from "../src/protocol/errors.js";
import type { ByteSource, Delivery, LoadEvent } from "../src/protocol/messages.js";
import { complaint, shortFault, states, tableOf, type FaultyLoad } from "./fault-outcomes.mjs";
import { faultNames } from "./faults.mjs";
import { chunkBytes, HashedSink, hashedFile } from "./hashed-file.js";
import { bytesContent } from "./http-answers.mjs";
import { startFaultyServer, type FaultyServer } from "./faulty-server.mjs";

// ---- the world

const file = hashedFile(1);
const otherFile = hashedFile(2);
const pace = () => ({ bytes: chunkBytes / 4, ms: 1 });
let server: FaultyServer;
let folder: string;

before(async () => {
  const model = { ...bytesContent(file), next: otherFile };
  // At this pace a client that hangs up has not been sent a chunk more.
  server = await startFaultyServer({ files: { model, mirror: file }, pace });
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-delivery-"));
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

interface Loaded {
  sink: HashedSink;
  error: TinyVLMError | undefined;
  events: LoadEvent[];
}

interface LoadSettings {
  cacheFolder?: string | undefined;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  stallTimeout?: number;
  key?: string;
  cacheBytes?: number;
}

async function load(
  sources: ByteSource[],
  {
    cacheFolder,
    signal,
    headers = {},
    stallTimeout = 800,
    key = "the key",
    cacheBytes = Infinity,
  }: LoadSettings = {},
): Promise<Loaded> {
  const sink = new HashedSink();
  const events: LoadEvent[] = [];
  const delivery: Delivery = {
    cacheKey: cacheFolder === undefined ? undefined : key,
    cacheBytes,
    storage: "",
    headers,
    stallTimeout,
  };
  const platform = {
    openPath: undefined,
    openStore: async () => new FolderStore(await openNodeFolder(fs, cacheFolder!), cacheBytes),
    fetch: nodeFetch,
    yieldToMessages: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
  let error: TinyVLMError | undefined;
  try {
    await openModel(
      sources,
      delivery,
      sink,
      platform,
      (event) => events.push(event),
      signal ?? new AbortController().signal,
    );
  } catch (reason) {
    assert(reason instanceof TinyVLMError, String((reason as Error).stack));
    error = reason;
  }
  return { sink, error, events };
}

/** Waits until so many bytes are kept. */
async function untilStored(cacheFolder: string, bytes: number): Promise<void> {
  for (;;) {
    const store = new FolderStore(await openNodeFolder(fs, cacheFolder));
    if (((await store.list())[0]?.storedBytes ?? 0) >= bytes) return;
    await new Promise((next) => setTimeout(next, 5));
  }
}

const at = (name: string): ByteSource => ({ kind: "url", url: server.url(name) });
// Counted from the end of the file, somewhere in its next to last piece.
const fromEnd = chunkBytes;
let folders = 0;
const newFolder = () => join(folder, `cache-${++folders}`);

function assertWhole({ sink, error, events }: Loaded, wanted = file): void {
  assert.equal(error, undefined, String(error));
  assert(sink.ended);
  assert(sink.bytes.equals(wanted));
  let last = 0;
  for (const event of events) {
    if (!("loadedBytes" in event)) continue;
    assert(event.totalBytes === 0 || event.loadedBytes <= event.totalBytes);
    last = event.loadedBytes;
  }
  assert.equal(last, wanted.length);
}

// ---- no faults

test("the second load fetches nothing and hashes nothing in the engine", async () => {
  const cacheFolder = newFolder();
  server.reset();
  assertWhole(await load([at("model")], { cacheFolder }));
  assert.deepEqual(
    server.requests().map(({ status, bodyBytes }) => [status, bodyBytes]),
    [[200, file.length]],
  );
  server.reset();
  const again = await load([at("model")], { cacheFolder });
  assertWhole(again);
  assert.equal(server.requests().length, 0);
  assert.equal(again.sink.verifiedBytes, file.length);
  const last = again.events[again.events.length - 1]!;
  assert("cachedBytes" in last && last.cachedBytes === file.length);
});

test("a kept piece that was damaged is fetched alone", async () => {
  const cacheFolder = newFolder();
  assertWhole(await load([at("model")], { cacheFolder }));
  const [entry] = (await fs.readdir(cacheFolder)).filter((name) => !name.endsWith(".lock"));
  const data = join(cacheFolder, entry!, "data");
  const stored = await fs.readFile(data);
  const { headerBytes } = { headerBytes: stored.readUInt32LE(4) };
  stored[headerBytes + 5 * chunkBytes + 10]! ^= 1;
  await fs.writeFile(data, stored);
  server.reset();
  assertWhole(await load([at("model")], { cacheFolder }));
  assert.deepEqual(
    server.requests().map(({ status, bodyBytes }) => [status, bodyBytes]),
    [[206, chunkBytes]],
  );
  server.reset();
  assertWhole(await load([at("model")], { cacheFolder }));
  assert.equal(server.requests().length, 0);
});

test("whatever is left of a kept file, the next load is right", async () => {
  const cacheFolder = newFolder();
  assertWhole(await load([at("model")], { cacheFolder }));
  const [entry] = (await fs.readdir(cacheFolder)).filter((name) => !name.endsWith(".lock"));
  for (const name of ["entry.json", "data", "records", "last-used"]) {
    for (const keep of [0, 0.5, 0.99]) {
      const path = join(cacheFolder, entry!, name);
      const bytes = await fs.readFile(path);
      await fs.writeFile(path, bytes.subarray(0, Math.floor(bytes.length * keep)));
      assertWhole(await load([at("model")], { cacheFolder }));
    }
    await fs.rm(join(cacheFolder, entry!, name));
    assertWhole(await load([at("model")], { cacheFolder }));
  }
});

test("a load that is aborted goes on where it was", async () => {
  const cacheFolder = newFolder();
  server.plan("model", [{ name: "stall", after: 10 * chunkBytes }]);
  const controller = new AbortController();
  const loading = load([at("model")], {
    cacheFolder,
    signal: controller.signal,
    stallTimeout: 10_000,
  });
  await untilStored(cacheFolder, 9 * chunkBytes);
  controller.abort();
  assert.equal((await loading).error?.code, "aborted");
  server.reset();
  assertWhole(await load([at("model")], { cacheFolder }));
  const [request, ...more] = server.requests();
  assert.equal(more.length, 0);
  assert.equal(request!.status, 206);
  assert(request!.bodyBytes <= file.length - 9 * chunkBytes, String(request!.bodyBytes));
});

test("two that load at once fetch once", async () => {
  const cacheFolder = newFolder();
  server.reset();
  const both = await Promise.all([
    load([at("model")], { cacheFolder }),
    load([at("model")], { cacheFolder }),
  ]);
  for (const loaded of both) assertWhole(loaded);
  assert.equal(server.bytesSent(), file.length);
});

test("a whole model is read by several at once, and what is damaged is fetched", async () => {
  const cacheFolder = newFolder();
  assertWhole(await load([at("model")], { cacheFolder }));
  const store = new FolderStore(await openNodeFolder(fs, cacheFolder));
  const holder = await store.open("the key", new AbortController().signal);
  try {
    server.reset();
    for (const loaded of await Promise.all([
      load([at("model")], { cacheFolder }),
      load([at("model")], { cacheFolder }),
    ]))
      assertWhole(loaded);
    assert.equal(server.requests().length, 0);

    const [entry] = (await fs.readdir(cacheFolder)).filter((name) => !name.endsWith(".lock"));
    const data = join(cacheFolder, entry!, "data");
    const stored = await fs.readFile(data);
    stored[stored.length - fromEnd]! ^= 1;
    await fs.writeFile(data, stored);
    assertWhole(await load([at("model")], { cacheFolder }));
    assert.equal(server.requests().length, 1);
  } finally {
    await holder.close();
  }
  // Who has it to himself mends it.
  assertWhole(await load([at("model")], { cacheFolder }));
  server.reset();
  assertWhole(await load([at("model")], { cacheFolder }));
  assert.equal(server.requests().length, 0);
});

test("another version at the same address replaces the kept one", async () => {
  const cacheFolder = newFolder();
  server.reset();
  server.plan("model", [{ name: "change-midway", after: 10 * chunkBytes }]);
  assertWhole(await load([at("model")], { cacheFolder }), otherFile);
  assertWhole(await load([at("model")], { cacheFolder }), otherFile);
});

test("where one address fails the next one goes on with the same pieces", async () => {
  const cacheFolder = newFolder();
  server.reset();
  server.plan("model", [{ name: "drop", after: 10 * chunkBytes }, { name: "status-404" }]);
  assertWhole(await load([at("model"), at("mirror")], { cacheFolder }));
  assert(server.bytesSent() < file.length + 2 * chunkBytes, String(server.bytesSent()));
  const none = await load([at("nothing"), at("nowhere")], {});
  assert.deepEqual([none.error?.code, none.error?.status], ["http", 404]);
});

test("where a limit is set, the model that was not used for longest goes first", async () => {
  const cacheFolder = newFolder();
  const settings = { cacheFolder, cacheBytes: 2.5 * file.length };
  const keys = async () => {
    const store = new FolderStore(await openNodeFolder(fs, cacheFolder));
    return (await store.list()).map(({ url }) => url);
  };
  for (const key of ["a", "b", "a"]) {
    assertWhole(await load([at("model")], { ...settings, key }));
    await new Promise((next) => setTimeout(next, 5));
  }
  assert.deepEqual(await keys(), ["a", "b"]);
  assertWhole(await load([at("model")], { ...settings, key: "c" }));
  assert.deepEqual(await keys(), ["c", "a"]);
  // What is larger than the limit is not kept, and costs nobody his place.
  const small = { cacheFolder, cacheBytes: file.length - 1 };
  const large = await load([at("model")], { ...small, key: "d" });
  assertWhole(large);
  const warnings = large.events.filter((event) => "warning" in event);
  assert.match(JSON.stringify(warnings), /not stored on this device: .*cache\.maxBytes/);
  assert.deepEqual(await keys(), ["c", "a"]);
});

test("headers go to the address's own origin only", async () => {
  server.reset();
  server.plan("model", [{ name: "redirect-302" }]);
  const headers = { authorization: "Bearer secret", "x-key": "secret" };
  assertWhole(await load([at("model")], { headers }));
  const requests = server.requests();
  assert.equal(requests.length, 2);
  assert.equal(requests[0]!.headers["x-key"], "secret");
  for (const name of ["authorization", "x-key"])
    assert.equal(requests[1]!.headers[name], undefined);
});

test("an address that a redirect gave and that is spent is asked for anew", async () => {
  for (const name of ["status-401", "status-403", "status-410"] as const)
    for (const headers of [{}, { "x-key": "secret" }]) {
      server.reset();
      server.plan("model", [{ name: "redirect-signed", uses: 9, times: Infinity }]);
      server.plan("model", [{ name }], { signed: true });
      assertWhole(await load([at("model")], { headers }));
      assert.deepEqual(
        server.requests().map(({ status }) => status),
        [302, Number(name.slice(-3)), 302, 200],
      );
    }
  // Where no redirect is, the answer is meant.
  server.reset();
  server.plan("model", [{ name: "status-403" }]);
  assert.equal((await load([at("model")])).error?.code, "http");
});

// ---- every fault

const loads: FaultyLoad[] = [];

for (const state of states)
  for (const name of faultNames)
    test(`${name}, ${state}: the right bytes or the right error`, async () => {
      const cacheFolder = newFolder();
      server.reset();
      if (state === "cached") assertWhole(await load([at("model")], { cacheFolder }));
      if (state === "half cached") {
        const controller = new AbortController();
        server.plan("model", [{ name: "stall", after: 10 * chunkBytes + 5000 }]);
        const loading = load([at("model")], {
          cacheFolder,
          signal: controller.signal,
          stallTimeout: 60_000,
        });
        await untilStored(cacheFolder, 9 * chunkBytes);
        controller.abort();
        assert.equal((await loading).error?.code, "aborted");
      }
      server.reset();
      const store = new FolderStore(await openNodeFolder(fs, cacheFolder));
      const before = (await store.list())[0]?.storedBytes ?? 0;
      server.plan("model", [shortFault(name)]);
      const loaded = await load([at("model")], { cacheFolder });
      const met = server.requests().some((request) => request.fault === name);
      const changed = name.startsWith("change") && met;
      const isNext = changed && loaded.sink.bytes.equals(otherFile);
      if (!loaded.error) assertWhole(loaded, isNext ? otherFile : file);
      const needed = isNext ? otherFile.length : file.length - before;
      const row = { name, state, code: loaded.error?.code, met, needed };
      const result = { ...row, fetched: server.bytesSent() };
      loads.push(result);
      assert.equal(complaint(result, { chunkBytes, fileBytes: file.length }), undefined);
      // Nothing wrong was kept, and nothing has to be cleared by hand.
      server.plan("model", []);
      assertWhole(await load([at("model")], { cacheFolder }), changed ? otherFile : file);
    });

test("the table of all faults", (t) => {
  for (const line of tableOf(loads)) t.diagnostic(line);
  assert.equal(loads.length, states.length * faultNames.length);
});
