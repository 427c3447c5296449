// Every call to a storage fails in turn, alone and with all that follow: the load gives the right
// bytes, warns at most once, keeps nothing that is not right and nothing from others.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Store } from "../src/loader/cache.js";
import { openCacheStorage } from "../src/loader/cache-storage.js";
import { FolderStore } from "../src/loader/folder-store.js";
import { nodeFetch } from "../src/loader/node-fetch.js";
import { openNodeFolder } from "../src/loader/node-folder.js";
import { openModel } from "../src/loader/open-model.js";
import { openOpfs } from "../src/loader/opfs.js";
import type { LoadEvent } from "../src/protocol/messages.js";
import { FakeBrowser, Strikes } from "./fake-storage.js";
import { HashedSink, hashedFile } from "./hashed-file.js";
import { startFaultyServer, type FaultyServer } from "./faulty-server.mjs";

// All by TINYVLM_EVERY_FAULT=1.
const lastingStep = process.env["TINYVLM_EVERY_FAULT"] ? 1 : 5;

const file = hashedFile(1);
let server: FaultyServer;
let folder: string;

before(async () => {
  server = await startFaultyServer({ files: { model: file } });
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-storage-"));
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
});

// ---- storages

/** A storage whose calls can be made to fail. */
interface Faulty {
  open(): Promise<Store>;
  /** Of the calls that come. */
  strike(strikes: Strikes): void;
  /** What is still open or locked. */
  held(): Promise<string[]>;
}

const browser = (open: () => Promise<Store>) => async (): Promise<Faulty> => {
  const fake = new FakeBrowser();
  const define = (name: string, value: object) =>
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  define("navigator", fake.navigator);
  define("caches", fake.caches);
  return {
    open,
    strike: (strikes) => (fake.strikes = strikes),
    held: async () => fake.held(),
  };
};

// Node's functions on files, and those of its file handles.
async function node(): Promise<Faulty> {
  let strikes = new Strikes();
  const path = await fs.mkdtemp(join(folder, "node-"));
  const open = new Set<object>();
  const faulty = <T extends object>(of: T, prefix: string): T =>
    new Proxy(of, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        const called = `${prefix}.${String(name)}`;
        // A file is read by its descriptor.
        if (name === "fd") return strikes.hits(called) ? -1 : value;
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (name === "close") open.delete(target);
          const hit = strikes.hits(called);
          // The descriptor is gone also where closing fails.
          if (hit && name === "close") await (value as () => Promise<void>).call(target);
          if (hit) throw Object.assign(new Error(`the disk failed in ${called}`), { code: "EIO" });
          const result: unknown = await (value as (...a: unknown[]) => unknown).apply(target, args);
          if (name !== "open") return result;
          open.add(result as object);
          return faulty(result as object, "file");
        };
      },
    });
  const disk = faulty({ ...fs }, "fs");
  return {
    open: async () => new FolderStore(await openNodeFolder(disk, path)),
    strike: (next) => (strikes = next),
    async held() {
      const locks = (await fs.readdir(path)).filter((name) => name.endsWith(".lock"));
      // That of a disk which did not delete it is nobody's after a while.
      const before = new Date(Date.now() - 60_000);
      for (const name of locks) await fs.utimes(join(path, name), before, before);
      const own = strikes.failed.includes("fs.unlink") ? [] : locks;
      return [...own, ...[...open].map(() => "an open file")];
    },
  };
}

const storages: Record<string, () => Promise<Faulty>> = {
  "Node's file system": node,
  "the browser's file system": browser(async () => new FolderStore(await openOpfs())),
  "the browser's Cache API": browser(openCacheStorage),
};

// ---- loads

interface Loaded {
  fetched: number;
  warnings: string[];
}

async function load(storage: Faulty): Promise<Loaded> {
  const sink = new HashedSink();
  const events: LoadEvent[] = [];
  const late = AbortSignal.timeout(20_000);
  server.reset();
  await openModel(
    [{ kind: "url", url: server.url("model") }],
    { cacheKey: "the key", cacheBytes: Infinity, storage: "", headers: {}, stallTimeout: 800 },
    sink,
    {
      openPath: undefined,
      openStore: () => storage.open(),
      fetch: nodeFetch,
      yieldToMessages: () => new Promise<void>((resolve) => setImmediate(resolve)),
    },
    (event) => events.push(event),
    late,
  );
  assert(sink.ended);
  assert(sink.bytes.equals(file));
  return {
    fetched: server.bytesSent(),
    warnings: events.flatMap((event) => ("warning" in event ? [event.warning] : [])),
  };
}

const quietly = (storage: Faulty) => {
  storage.strike(new Strikes());
  return load(storage);
};

for (const [name, make] of Object.entries(storages))
  for (const state of ["empty", "with the model"] as const)
    test(`${name}, ${state}: every call fails in turn`, { timeout: 600_000 }, async (t) => {
      const calls = new Strikes();
      const begun = async () => {
        const storage = await make();
        if (state !== "empty") assert.deepEqual((await quietly(storage)).warnings, []);
        return storage;
      };
      const quiet = await begun();
      quiet.strike(calls);
      await load(quiet);
      assert(calls.count > 5, String(calls.count));
      const outcomes = { "right and kept": 0, "right, not kept, one warning": 0 };
      for (const lasting of [false, true])
        for (let at = 0; at < calls.count; at += lasting ? lastingStep : 1) {
          const storage = await begun();
          const strikes = new Strikes(at, lasting);
          storage.strike(strikes);
          const { warnings } = await load(storage);
          const what = `call ${at} of ${calls.count}: ${strikes.failed[0]}`;
          assert(strikes.failed.length > 0, what);
          assert(warnings.length <= 1, `${what}: ${warnings.join("; ")}`);
          ++outcomes[warnings.length > 0 ? "right, not kept, one warning" : "right and kept"];
          assert.deepEqual(await storage.held(), [], what);
          // What is left is right, is mended, and then is whole.
          assert.deepEqual((await quietly(storage)).warnings, [], what);
          assert.deepEqual(await quietly(storage), { fetched: 0, warnings: [] }, what);
          assert.deepEqual(await storage.held(), [], what);
        }
      t.diagnostic(`${name}, ${state}: ${calls.count} calls: ${JSON.stringify(outcomes)}`);
    });

for (const [name, make] of Object.entries(storages))
  test(`${name}: listing and deleting while calls fail`, async () => {
    const work = {
      list: async (store: Store) => void (await store.list()),
      delete: async (store: Store) => void (await store.delete("the key")),
    };
    for (const [of, call] of Object.entries(work)) {
      const calls = new Strikes();
      const quiet = await make();
      await quietly(quiet);
      quiet.strike(calls);
      await call(await quiet.open());
      for (let at = 0; at < calls.count; at++) {
        const storage = await make();
        await quietly(storage);
        const strikes = new Strikes(at);
        storage.strike(strikes);
        await Promise.resolve()
          .then(async () => call(await storage.open()))
          .catch((reason: unknown) => assert(reason instanceof Error));
        const what = `${of}, call ${at}: ${strikes.failed[0]}`;
        assert.deepEqual(await storage.held(), [], what);
        await quietly(storage);
        assert.deepEqual(await quietly(storage), { fetched: 0, warnings: [] }, what);
      }
    }
  });
