// A model file in parts: one file to the engine and to the storage, however it is cut and whatever
// breaks.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FolderStore } from "../src/loader/folder-store.js";
import { nodeFetch } from "../src/loader/node-fetch.js";
import { openNodeFolder } from "../src/loader/node-folder.js";
import { openSplitFile } from "../src/loader/split-file.js";
import { TinyVLMError } from "../src/protocol/errors.js";
import { chunkBytes, HashedSink, hashedFile } from "./hashed-file.js";
import { startFaultyServer, type FaultyServer } from "./faulty-server.mjs";

const file = hashedFile(1);
// Inside the header, at a chunk's end as near as parts know it, in the middle of chunks.
const cuts = [0, 100, 3 * chunkBytes + 717, 10 * chunkBytes, 15 * chunkBytes + 1, file.length];
const names = cuts.slice(1).map((_, index) => `part-${index}`);

let server: FaultyServer;
let folder: string;
before(async () => {
  const part = (index: number) => file.subarray(cuts[index], cuts[index + 1]);
  server = await startFaultyServer({
    files: Object.fromEntries(names.map((name, index) => [name, part(index)])),
  });
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-split-"));
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

interface Settings {
  cacheFolder?: string;
  signal?: AbortSignal;
  parts?: string[];
}

async function load({ cacheFolder, signal, parts = names }: Settings = {}): Promise<HashedSink> {
  const sink = new HashedSink();
  await openSplitFile(
    parts.map((name) => ({ kind: "url", url: server.url(name) })),
    {
      ...{ cacheBytes: Infinity, storage: "", headers: {}, stallTimeout: 10_000 },
      cacheKey: cacheFolder === undefined ? undefined : "the key",
    },
    sink,
    {
      openPath: undefined,
      openStore: async () => new FolderStore(await openNodeFolder(fs, cacheFolder!)),
      fetch: nodeFetch,
      yieldToMessages: () => new Promise<void>((resolve) => setImmediate(resolve)),
    },
    () => {},
    signal ?? new AbortController().signal,
  );
  return sink;
}

function assertWhole({ bytes, ended }: HashedSink): void {
  assert(ended);
  assert(bytes.equals(file));
}

const stored = async (cacheFolder: string): Promise<number> => {
  const [model] = await new FolderStore(await openNodeFolder(fs, cacheFolder)).list();
  return model?.storedBytes ?? 0;
};

test("the parts are fetched once each and kept as one file", async () => {
  const cacheFolder = join(folder, "kept");
  server.reset();
  assertWhole(await load({ cacheFolder }));
  // Where a part ends it is asked, with a byte, whether it was all of it.
  const whole = server.requests().filter(({ range }) => range === undefined);
  assert.deepEqual(
    whole.map((request) => [request.file, request.status]),
    names.map((name) => [name, 200]),
  );
  assert(server.bytesSent() < file.length + names.length, String(server.bytesSent()));
  assert.equal(await stored(cacheFolder), file.length);
  server.reset();
  assertWhole(await load({ cacheFolder }));
  assert.equal(server.requests().length, 0);
});

test("a load that was aborted in any part goes on where it was", async () => {
  for (const [index, name] of names.entries()) {
    const cacheFolder = join(folder, `aborted-${index}`);
    server.reset();
    server.plan(name, [{ name: "stall" }]);
    const controller = new AbortController();
    const loading = load({ cacheFolder, signal: controller.signal });
    while (!server.requests().some(({ outcome }) => outcome === "stalled"))
      await new Promise((next) => setTimeout(next, 5));
    await new Promise((next) => setTimeout(next, 100));
    controller.abort();
    await assert.rejects(loading, { code: "aborted" });
    const before = await stored(cacheFolder);
    server.reset();
    assertWhole(await load({ cacheFolder }));
    // Parts that are wholly kept are asked for their sizes, with a byte each.
    const most = file.length - before + names.length;
    assert(server.bytesSent() <= most, `${name}: ${server.bytesSent()}, kept ${before}`);
  }
});

test("what breaks, changes or is wrong in a part is mended", async () => {
  for (const fault of ["drop", "reset", "alter", "status-503-bare", "truncate"] as const)
    // In the first part there is only the header, which has no hash in this format.
    for (const name of names.slice(1)) {
      server.reset();
      server.plan(name, [{ name: fault }]);
      assertWhole(await load());
    }
});

test("a part that is missing, and parts in the wrong order, are errors that name them", async () => {
  server.reset();
  const missing = load({ parts: [names[0]!, "nowhere", ...names.slice(2)] });
  await assert.rejects(missing, { code: "http", status: 404, url: server.url("nowhere") });
  await assert.rejects(load({ parts: names.slice(0, -1) }), { code: "invalid_file" });
  const swapped = [names[0]!, names[1]!, names[3]!, names[2]!, names[4]!];
  await assert.rejects(
    load({ parts: swapped }),
    (error) => error instanceof TinyVLMError && /SHA-256/.test(error.message),
  );
});
