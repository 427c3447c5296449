// Keeps model files in the browser's Cache API, where its file system (OPFS) is missing: each piece
// is an answer of its own, whose address holds its SHA-256.

import { bytesOfHex, hexOf } from "../protocol/hex.js";
import type { CachedModel } from "../protocol/values.js";
import {
  digestAt,
  digestBytes,
  entryName,
  inUse,
  isKept,
  parseMeta,
  pieceCount,
  storedBytes,
  type Entry,
  type EntryMeta,
  type Store,
} from "./cache.js";

const cacheName = "tiny-vlm";
// Nothing is ever asked of this host: ".invalid" is reserved (RFC 2606).
const origin = "https://tiny-vlm.invalid";

const metaAddress = (name: string) => `${origin}/${name}/entry.json`;
const usedAddress = (name: string) => `${origin}/${name}/last-used`;

/** Opens the store. Throws where the browser has no Cache API or does not let this page use it. */
export async function openCacheStorage(): Promise<Store> {
  const cache = await caches.open(cacheName);

  const paths = async () =>
    (await cache.keys()).map(({ url }) => url.slice(origin.length + 1).split("/"));

  async function text(address: string): Promise<string | undefined> {
    return (await cache.match(address))?.text();
  }

  async function digestsOf(name: string, meta: EntryMeta): Promise<Uint8Array> {
    const digests = new Uint8Array(pieceCount(meta) * digestBytes);
    for (const [of, kind, piece, digest] of await paths())
      if (of === name && kind === "piece" && Number(piece) < pieceCount(meta))
        digests.set(bytesOfHex(digest!), Number(piece) * digestBytes);
    return digests;
  }

  async function remove(name: string): Promise<void> {
    for (const { url } of await cache.keys())
      if (url.startsWith(`${origin}/${name}/`)) await cache.delete(url);
  }

  async function open(url: string): Promise<Entry> {
    const name = await entryName(url);
    const found = parseMeta((await text(metaAddress(name))) ?? "");
    let meta = found?.url === url ? found : undefined;
    let digests = meta ? await digestsOf(name, meta) : new Uint8Array(0);
    if (meta) await cache.put(usedAddress(name), new Response(String(Date.now())));
    const digest = (piece: number) =>
      isKept(digests, piece) ? digestAt(digests, piece) : undefined;
    const address = (piece: number, of: Uint8Array) =>
      `${origin}/${name}/piece/${piece}/${hexOf(of)}`;

    return {
      get meta() {
        return meta;
      },
      digest,
      async begin(now) {
        await remove(name);
        meta = now;
        digests = new Uint8Array(pieceCount(now) * digestBytes);
        await cache.put(metaAddress(name), new Response(JSON.stringify(now)));
      },
      async read(piece) {
        const response = await cache.match(address(piece, digest(piece)!));
        return new Uint8Array(response ? await response.arrayBuffer() : []);
      },
      async write(piece, bytes, of) {
        await cache.put(address(piece, of), new Response(bytes.slice()));
        digests.set(of, piece * digestBytes);
      },
      async drop(piece) {
        const old = digest(piece);
        if (old) await cache.delete(address(piece, old));
        digests.fill(0, piece * digestBytes, (piece + 1) * digestBytes);
      },
      async close() {},
    };
  }

  return {
    kind: "the browser's cache",

    async open(url, signal) {
      if (!navigator.locks) return open(url);
      let release!: () => void;
      const held = new Promise<void>((resolve) => (release = resolve));
      return new Promise((resolve, reject) => {
        navigator.locks
          .request(`${cacheName}/${url}`, { signal }, async () => {
            const entry = await open(url);
            resolve(Object.defineProperty(entry, "close", { value: async () => release() }));
            await held;
          })
          .catch(reject);
      });
    },

    async list() {
      const names = [...new Set((await paths()).map(([name]) => name!))];
      const models = names.map(async (name): Promise<CachedModel | undefined> => {
        const meta = parseMeta((await text(metaAddress(name))) ?? "");
        if (!meta) return undefined;
        return {
          url: meta.url,
          storedBytes: storedBytes(meta, await digestsOf(name, meta)),
          totalBytes: meta.fileBytes,
          lastUsed: new Date(Number(await text(usedAddress(name))) || meta.begun),
        };
      });
      return (await Promise.all(models)).filter((model) => model !== undefined);
    },

    async delete(url) {
      const name = await entryName(url);
      if ((await text(metaAddress(name))) === undefined) return false;
      const locks = navigator.locks as LockManager | undefined;
      const free = await (locks?.request(
        `${cacheName}/${url}`,
        { ifAvailable: true },
        async (lock) => {
          if (lock) await remove(name);
          return lock !== null;
        },
      ) ?? remove(name).then(() => true));
      if (!free) throw inUse(url);
      return true;
    },
  };
}
