// Keeps model files in a folder: of Node's file system, or of the browser's own (OPFS). Each entry
// is a folder of its own:
//   entry.json  an EntryMeta, written once
//   data        the file's bytes, each piece at its place
//   digests     32 bytes a piece: its SHA-256, written after the piece; zeros: not kept
//   last-used   a time
// A process that ends at any moment leaves an entry that is right: a piece counts when its digest
// is there and agrees with it.

import { TinyVLMError } from "../protocol/errors.js";
import type { CachedModel } from "../protocol/values.js";
import { wait } from "./http-reader.js";
import {
  digestAt,
  digestBytes,
  entryName,
  inUse,
  isKept,
  parseMeta,
  pieceCount,
  pieceRange,
  storedBytes,
  type Entry,
  type EntryMeta,
  type Store,
} from "./cache.js";

/** A file that is open for reading. */
export interface ReadableFile {
  /** Fills `target` from byte `at` on; returns how many bytes there were. */
  read(target: Uint8Array<ArrayBuffer>, at: number): number | Promise<number>;
  close(): Promise<void>;
}

/** A file that is open for reading and writing anywhere in it. */
export interface OpenFile extends ReadableFile {
  read(target: Uint8Array<ArrayBuffer>, at: number): number;
  write(bytes: Uint8Array, at: number): Promise<void>;
  truncate(size: number): Promise<void>;
}

/** The file system below a FolderStore: one level of folders. */
export interface FileSystem {
  readonly kind: string;
  /**
   * The lock of a folder, released by the function that is returned. undefined where another
   * process or page has it.
   */
  lock(folder: string): Promise<(() => Promise<void>) | undefined>;
  /** Names of the folders. */
  folders(): Promise<string[]>;
  /** Opens a file, which is made where it is missing. */
  open(folder: string, file: string): Promise<OpenFile>;
  /** Opens a file for reading alone, whoever has its folder's lock. Fails where it is missing. */
  openForReading(folder: string, file: string): Promise<ReadableFile>;
  /** A whole file; undefined where there is none. Others may be writing it. */
  readFile(folder: string, file: string): Promise<Uint8Array | undefined>;
  /** Deletes a folder with its files; nothing happens where there is none. */
  remove(folder: string): Promise<void>;
}

const metaFile = "entry.json";
const dataFile = "data";
const digestsFile = "digests";
const usedFile = "last-used";

// How often somebody who waits looks how far the other one is.
const waitingEveryMs = 250;

/** A Store over a FileSystem. */
export class FolderStore implements Store {
  readonly kind: string;
  readonly #files: FileSystem;
  // The most bytes that all entries may have together.
  readonly #maxBytes: number;

  constructor(files: FileSystem, maxBytes = Infinity) {
    this.kind = files.kind;
    this.#files = files;
    this.#maxBytes = maxBytes;
  }

  async open(
    url: string,
    signal: AbortSignal,
    waiting: (storedBytes: number, totalBytes: number) => void = () => {},
  ): Promise<Entry> {
    const name = await entryName(url);
    let unlock: (() => Promise<void>) | undefined;
    while (!(unlock = await this.#files.lock(name))) {
      const whole = await this.#openWhole(name, url).catch(() => undefined);
      if (whole) return whole;
      await wait(waitingEveryMs, signal);
      const model = await this.#describe(name);
      if (model) waiting(model.storedBytes, model.totalBytes);
    }
    const makeRoom = (bytes: number) => this.#makeRoom(bytes, name);
    try {
      return await FolderEntry.open(this.#files, name, url, unlock, makeRoom);
    } catch (reason) {
      await unlock();
      throw reason;
    }
  }

  // The entry while somebody else has it; undefined where it is not whole. What is wrong in it is
  // the other one's to mend.
  async #openWhole(name: string, url: string): Promise<Entry | undefined> {
    const [text, digests] = await Promise.all(
      [metaFile, digestsFile].map((file) => this.#files.readFile(name, file)),
    );
    let meta = text && parseMeta(new TextDecoder().decode(text));
    if (meta?.url !== url || !digests || storedBytes(meta, digests) < meta.fileBytes)
      return undefined;
    const data = await this.#files.openForReading(name, dataFile);
    return {
      get meta() {
        return meta;
      },
      async begin() {
        meta = undefined;
      },
      digest: (piece) => (meta && isKept(digests, piece) ? digestAt(digests, piece) : undefined),
      read: (piece) => readPiece(data, meta!, piece),
      async write() {},
      async drop(piece) {
        digestAt(digests, piece).fill(0);
      },
      close: () => data.close(),
    };
  }

  async list(): Promise<CachedModel[]> {
    const found = await Promise.all(
      (await this.#files.folders()).map((name) => this.#describe(name)),
    );
    return found
      .filter((model) => model !== undefined)
      .sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  }

  async delete(url: string): Promise<boolean> {
    const name = await entryName(url);
    if (!(await this.#files.folders()).includes(name)) return false;
    if (!(await this.#remove(name))) throw inUse(url);
    return true;
  }

  // False where somebody has the entry open.
  async #remove(name: string): Promise<boolean> {
    const unlock = await this.#files.lock(name);
    if (!unlock) return false;
    try {
      await this.#files.remove(name);
    } finally {
      await unlock();
    }
    return true;
  }

  async #describe(name: string): Promise<CachedModel | undefined> {
    const [text, digests, used] = await Promise.all(
      [metaFile, digestsFile, usedFile].map((file) => this.#files.readFile(name, file)),
    );
    const meta = text && parseMeta(new TextDecoder().decode(text));
    if (!meta) return undefined;
    return {
      url: meta.url,
      storedBytes: digests ? storedBytes(meta, digests) : 0,
      totalBytes: meta.fileBytes,
      lastUsed: new Date(Number(used ? new TextDecoder().decode(used) : 0) || meta.begun),
    };
  }

  // Deletes the entries that were not used for longest until `bytes` more fit under the limit.
  async #makeRoom(bytes: number, except: string): Promise<void> {
    if (this.#maxBytes === Infinity) return;
    if (bytes > this.#maxBytes)
      throw new TinyVLMError(
        "io",
        `it has ${bytes} bytes, and at most ${this.#maxBytes} may be kept (cache.maxBytes)`,
      );
    const own = await this.#describe(except);
    const others = (await this.list()).filter(({ url }) => url !== own?.url);
    let sum = bytes + others.reduce((total, { storedBytes }) => total + storedBytes, 0);
    for (const { url, storedBytes } of others.reverse()) {
      if (sum <= this.#maxBytes) return;
      if (await this.#remove(await entryName(url))) sum -= storedBytes;
    }
  }
}

// The bytes of a piece that are there.
async function readPiece(
  data: ReadableFile,
  meta: EntryMeta,
  piece: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { begin, end } = pieceRange(meta, piece);
  const bytes = new Uint8Array(end - begin);
  const found = await data.read(bytes, begin);
  return found === bytes.length ? bytes : bytes.slice(0, found);
}

class FolderEntry implements Entry {
  readonly #files: FileSystem;
  readonly #name: string;
  readonly #unlock: () => Promise<void>;
  readonly #makeRoom: (bytes: number) => Promise<void>;
  readonly #data: OpenFile;
  readonly #digestFile: OpenFile;
  #meta: EntryMeta | undefined;
  #digests = new Uint8Array(0);

  static async open(
    files: FileSystem,
    name: string,
    url: string,
    unlock: () => Promise<void>,
    makeRoom: (bytes: number) => Promise<void>,
  ): Promise<FolderEntry> {
    const text = await files.readFile(name, metaFile);
    const meta = text && parseMeta(new TextDecoder().decode(text));
    const [data, digests] = [await files.open(name, dataFile), await files.open(name, digestsFile)];
    const entry = new FolderEntry(files, name, unlock, makeRoom, data, digests);
    if (meta && meta.url === url) {
      entry.#meta = meta;
      entry.#digests = new Uint8Array(pieceCount(meta) * digestBytes);
      digests.read(entry.#digests, 0);
      await entry.#writeWhole(usedFile, String(Date.now()));
    }
    return entry;
  }

  private constructor(
    files: FileSystem,
    name: string,
    unlock: () => Promise<void>,
    makeRoom: (bytes: number) => Promise<void>,
    data: OpenFile,
    digestFile: OpenFile,
  ) {
    this.#files = files;
    this.#name = name;
    this.#unlock = unlock;
    this.#makeRoom = makeRoom;
    this.#data = data;
    this.#digestFile = digestFile;
  }

  get meta(): EntryMeta | undefined {
    return this.#meta;
  }

  async begin(meta: EntryMeta): Promise<void> {
    this.#meta = undefined;
    this.#digests = new Uint8Array(pieceCount(meta) * digestBytes);
    await this.#digestFile.truncate(0);
    await this.#data.truncate(0);
    await this.#makeRoom(meta.fileBytes);
    await this.#writeWhole(metaFile, JSON.stringify(meta));
    this.#meta = meta;
  }

  digest(piece: number): Uint8Array | undefined {
    return isKept(this.#digests, piece) ? digestAt(this.#digests, piece) : undefined;
  }

  async read(piece: number): Promise<Uint8Array<ArrayBuffer>> {
    return readPiece(this.#data, this.#meta!, piece);
  }

  readInto(piece: number, target: Uint8Array<ArrayBuffer>): number {
    return this.#data.read(target, pieceRange(this.#meta!, piece).begin);
  }

  async write(piece: number, bytes: Uint8Array, digest: Uint8Array): Promise<void> {
    await this.#data.write(bytes, pieceRange(this.#meta!, piece).begin);
    await this.#setDigest(piece, digest);
  }

  async drop(piece: number): Promise<void> {
    await this.#setDigest(piece, new Uint8Array(digestBytes));
  }

  async close(): Promise<void> {
    try {
      await this.#data.close();
      await this.#digestFile.close();
      // What was opened and never begun is not worth a folder.
      if (!this.#meta) await this.#files.remove(this.#name);
    } finally {
      await this.#unlock();
    }
  }

  async #setDigest(piece: number, digest: Uint8Array): Promise<void> {
    await this.#digestFile.write(digest, piece * digestBytes);
    this.#digests.set(digest, piece * digestBytes);
  }

  async #writeWhole(name: string, text: string): Promise<void> {
    const file = await this.#files.open(this.#name, name);
    try {
      await file.truncate(0);
      await file.write(new TextEncoder().encode(text), 0);
    } finally {
      await file.close();
    }
  }
}
