// A place for model files that several pages or processes use at the same time: what is common to
// every storage. One at a time has an entry; a whole entry is read along meanwhile.

import { TinyVLMError } from "../protocol/errors.js";
import type { CachedModel } from "../protocol/values.js";
import {
  entryName,
  inUse,
  type Entry,
  type EntryMeta,
  type PieceRecords,
  type Store,
} from "./cache.js";
import { wait } from "./http-reader.js";

/** Lets others have an entry. */
export type Unlock = () => Promise<void>;

// How often somebody who waits looks how far the other one is.
const waitingEveryMs = 250;

/** A Store of entries whose names are those of entryName. */
export abstract class SharedStore implements Store {
  abstract readonly kind: string;
  readonly #maxBytes: number;

  /** `maxBytes`: the most that all entries may have together. */
  constructor(maxBytes = Infinity) {
    this.#maxBytes = maxBytes;
  }

  /** Takes an entry; undefined where another page or process has it. */
  protected abstract lock(name: string): Promise<Unlock | undefined>;
  /** Of all entries. */
  protected abstract names(): Promise<string[]>;
  /** What is kept in an entry; undefined where that is nothing. Others may be writing it. */
  protected abstract describe(name: string): Promise<CachedModel | undefined>;
  /** Opens an entry that was locked; its `begin` has to make room for the file's bytes. */
  protected abstract openEntry(
    name: string,
    url: string,
    unlock: Unlock,
    makeRoom: (bytes: number) => Promise<void>,
  ): Promise<Entry>;
  /** An entry that somebody else has; undefined where it is not of `url`, or not whole. */
  protected abstract readAlong(name: string, url: string): Promise<Entry | undefined>;
  /** Deletes an entry that was locked. */
  protected abstract remove(name: string): Promise<void>;

  async open(
    url: string,
    signal: AbortSignal,
    waiting: (storedBytes: number, totalBytes: number) => void = () => {},
  ): Promise<Entry> {
    const name = await entryName(url);
    let unlock: Unlock | undefined;
    while (!(unlock = await this.lock(name))) {
      const whole = await this.readAlong(name, url).catch(() => undefined);
      if (whole) return whole;
      await wait(waitingEveryMs, signal);
      const model = await this.describe(name);
      if (model) waiting(model.storedBytes, model.totalBytes);
    }
    try {
      return await this.openEntry(name, url, unlock, (bytes) => this.#makeRoom(bytes, name));
    } catch (reason) {
      await unlock();
      throw reason;
    }
  }

  async list(): Promise<CachedModel[]> {
    const found = await Promise.all((await this.names()).map((name) => this.describe(name)));
    return found
      .filter((model) => model !== undefined)
      .sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  }

  async delete(url: string): Promise<boolean> {
    const name = await entryName(url);
    if (!(await this.names()).includes(name)) return false;
    if (!(await this.#removeUnused(name))) throw inUse(url);
    return true;
  }

  // False where somebody has the entry open.
  async #removeUnused(name: string): Promise<boolean> {
    const unlock = await this.lock(name);
    if (!unlock) return false;
    try {
      await this.remove(name);
    } finally {
      await unlock();
    }
    return true;
  }

  // Deletes the entries that were not used for longest until `bytes` more fit under the limit.
  async #makeRoom(bytes: number, except: string): Promise<void> {
    if (this.#maxBytes === Infinity) return;
    if (bytes > this.#maxBytes)
      throw new TinyVLMError(
        "io",
        `it has ${bytes} bytes, and at most ${this.#maxBytes} may be kept (cache.maxBytes)`,
      );
    const own = await this.describe(except);
    const others = (await this.list()).filter(({ url }) => url !== own?.url);
    let sum = bytes + others.reduce((total, { storedBytes }) => total + storedBytes, 0);
    for (const { url, storedBytes } of others.reverse()) {
      if (sum <= this.#maxBytes) return;
      if (await this.#removeUnused(await entryName(url))) sum -= storedBytes;
    }
  }
}

/** An entry that somebody else has, for reading. What is wrong in it is the other one's to mend. */
export function entryForReading(
  meta: EntryMeta,
  records: PieceRecords,
  read: Entry["read"],
  close: () => Promise<void>,
): Entry {
  let current: EntryMeta | undefined = meta;
  return {
    get meta() {
      return current;
    },
    async begin() {
      current = undefined;
    },
    digest: (piece) => current && records.digest(piece),
    read,
    async write() {},
    async drop(piece) {
      records.at(piece).fill(0);
    },
    close,
  };
}
