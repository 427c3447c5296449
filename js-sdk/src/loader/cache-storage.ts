// Keeps model files in the browser's Cache API, where its file system (OPFS) is missing: each piece
// is an answer of its own, whose address holds its record: SHA-256 and checksum.

import { bytesOfHex, hexOf } from "../protocol/hex.js";
import type { CachedModel } from "../protocol/values.js";
import {
  parseMeta,
  pieceCount,
  PieceRecords,
  type Entry,
  type EntryMeta,
  type Store,
} from "./cache.js";
import { entryForReading, SharedStore, type Unlock } from "./shared-store.js";
import { takeWebLock } from "./web-lock.js";

const cacheName = "tiny-vlm";
// Nothing is ever asked of this host: ".invalid" is reserved (RFC 2606).
const origin = "https://tiny-vlm.invalid";

const metaAddress = (name: string) => `${origin}/${name}/entry.json`;
const usedAddress = (name: string) => `${origin}/${name}/last-used`;
const pieceAddress = (name: string, piece: number, record: Uint8Array) =>
  `${origin}/${name}/piece/${piece}/${hexOf(record)}`;

/** Opens the store. Throws where the browser has no Cache API or does not let this page use it. */
export async function openCacheStorage(maxBytes?: number): Promise<Store> {
  return new CacheStore(await caches.open(cacheName), maxBytes);
}

class CacheStore extends SharedStore {
  readonly kind = "the browser's cache";
  readonly #cache: Cache;

  constructor(cache: Cache, maxBytes?: number) {
    super(maxBytes);
    this.#cache = cache;
  }

  protected lock(name: string): Promise<Unlock | undefined> {
    return takeWebLock(`${cacheName}/${name}`);
  }

  protected async names(): Promise<string[]> {
    return [...new Set((await this.#paths()).map(([name]) => name!))];
  }

  protected async describe(name: string): Promise<CachedModel | undefined> {
    const meta = await this.#meta(name);
    if (!meta) return undefined;
    return {
      url: meta.url,
      storedBytes: (await this.#records(name, meta)).storedBytes(meta),
      totalBytes: meta.fileBytes,
      lastUsed: new Date(Number(await this.#text(usedAddress(name))) || meta.begun),
    };
  }

  protected async remove(name: string): Promise<void> {
    for (const { url } of await this.#cache.keys())
      if (url.startsWith(`${origin}/${name}/`)) await this.#cache.delete(url);
  }

  protected async readAlong(name: string, url: string): Promise<Entry | undefined> {
    const meta = await this.#meta(name);
    if (meta?.url !== url) return undefined;
    const records = await this.#records(name, meta);
    if (records.storedBytes(meta) < meta.fileBytes) return undefined;
    const read = (piece: number) => this.#read(name, records, piece);
    return entryForReading(meta, records, read, async () => {});
  }

  protected async openEntry(
    name: string,
    url: string,
    unlock: Unlock,
    makeRoom: (bytes: number) => Promise<void>,
  ): Promise<Entry> {
    const cache = this.#cache;
    const found = await this.#meta(name);
    let meta = found?.url === url ? found : undefined;
    let records = meta && (await this.#records(name, meta));
    if (meta) await cache.put(usedAddress(name), new Response(String(Date.now())));
    const begin = async (now: EntryMeta) => {
      meta = undefined;
      await this.remove(name);
      await makeRoom(now.fileBytes);
      await cache.put(metaAddress(name), new Response(JSON.stringify(now)));
      meta = now;
      records = new PieceRecords(now);
    };
    return {
      get meta() {
        return meta;
      },
      begin,
      digest: (piece) => records?.digest(piece),
      read: (piece) => this.#read(name, records!, piece),
      async write(piece, bytes, digest) {
        const record = PieceRecords.of(bytes, digest);
        await cache.put(pieceAddress(name, piece, record), new Response(bytes.slice()));
        records!.at(piece).set(record);
      },
      async drop(piece) {
        await cache.delete(pieceAddress(name, piece, records!.at(piece)));
        records!.at(piece).fill(0);
      },
      close: unlock,
    };
  }

  async #read(
    name: string,
    records: PieceRecords,
    piece: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#cache.match(pieceAddress(name, piece, records.at(piece)));
    const bytes = new Uint8Array(response ? await response.arrayBuffer() : []);
    return records.agrees(piece, bytes) ? bytes : undefined;
  }

  async #meta(name: string): Promise<EntryMeta | undefined> {
    return parseMeta((await this.#text(metaAddress(name))) ?? "");
  }

  async #records(name: string, meta: EntryMeta): Promise<PieceRecords> {
    const records = new PieceRecords(meta);
    for (const [of, kind, piece, record] of await this.#paths())
      if (of === name && kind === "piece" && Number(piece) < pieceCount(meta))
        records.at(Number(piece)).set(bytesOfHex(record!));
    return records;
  }

  async #paths(): Promise<string[][]> {
    return (await this.#cache.keys()).map(({ url }) => url.slice(origin.length + 1).split("/"));
  }

  async #text(address: string): Promise<string | undefined> {
    return (await this.#cache.match(address))?.text();
  }
}
