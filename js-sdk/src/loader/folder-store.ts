// Keeps model files in a folder: of Node's file system, or of the browser's own (OPFS). Each entry
// is a folder of its own:
//   entry.json  an EntryMeta, written once
//   data        the file's bytes, each piece at its place
//   records     40 bytes a piece: its SHA-256 and its checksum, written after the piece; zeros: not
//               kept
//   last-used   a time
// A process that ends at any moment leaves an entry that is right: a piece counts when its record
// is there and agrees with it.

import type { CachedModel } from "../protocol/values.js";
import { parseMeta, pieceRange, PieceRecords, type Entry, type EntryMeta } from "./cache.js";
import { entryForReading, SharedStore, type Unlock } from "./shared-store.js";

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
const recordsFile = "records";
const usedFile = "last-used";

/** A Store over a FileSystem. */
export class FolderStore extends SharedStore {
  readonly kind: string;
  readonly #files: FileSystem;

  constructor(files: FileSystem, maxBytes?: number) {
    super(maxBytes);
    this.kind = files.kind;
    this.#files = files;
  }

  protected lock(name: string): Promise<Unlock | undefined> {
    return this.#files.lock(name);
  }

  protected names(): Promise<string[]> {
    return this.#files.folders();
  }

  protected async describe(name: string): Promise<CachedModel | undefined> {
    const [text, records, used] = await Promise.all(
      [metaFile, recordsFile, usedFile].map((file) => this.#files.readFile(name, file)),
    );
    const meta = text && parseMeta(new TextDecoder().decode(text));
    if (!meta) return undefined;
    return {
      url: meta.url,
      storedBytes: new PieceRecords(meta, records).storedBytes(meta),
      totalBytes: meta.fileBytes,
      lastUsed: new Date(Number(used ? new TextDecoder().decode(used) : 0) || meta.begun),
    };
  }

  protected openEntry(
    name: string,
    url: string,
    unlock: Unlock,
    makeRoom: (bytes: number) => Promise<void>,
  ): Promise<Entry> {
    return FolderEntry.open(this.#files, name, url, unlock, makeRoom);
  }

  protected async readAlong(name: string, url: string): Promise<Entry | undefined> {
    const [text, stored] = await Promise.all(
      [metaFile, recordsFile].map((file) => this.#files.readFile(name, file)),
    );
    const meta = text && parseMeta(new TextDecoder().decode(text));
    if (!meta || meta.url !== url) return undefined;
    const records = new PieceRecords(meta, stored);
    if (records.storedBytes(meta) < meta.fileBytes) return undefined;
    const data = await this.#files.openForReading(name, dataFile);
    const read = (piece: number) => readPiece(data, meta, records, piece);
    return entryForReading(meta, records, read, () => data.close());
  }

  protected remove(name: string): Promise<void> {
    return this.#files.remove(name);
  }
}

// The bytes of a piece; undefined where they are not those that were written.
async function readPiece(
  data: ReadableFile,
  meta: EntryMeta,
  records: PieceRecords,
  piece: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { begin, end } = pieceRange(meta, piece);
  const bytes = new Uint8Array(end - begin);
  const found = await data.read(bytes, begin);
  return found === bytes.length && records.agrees(piece, bytes) ? bytes : undefined;
}

class FolderEntry implements Entry {
  readonly #files: FileSystem;
  readonly #name: string;
  readonly #unlock: Unlock;
  readonly #makeRoom: (bytes: number) => Promise<void>;
  readonly #data: OpenFile;
  readonly #recordFile: OpenFile;
  #meta: EntryMeta | undefined;
  #records: PieceRecords | undefined;

  static async open(
    files: FileSystem,
    name: string,
    url: string,
    unlock: Unlock,
    makeRoom: (bytes: number) => Promise<void>,
  ): Promise<FolderEntry> {
    const text = await files.readFile(name, metaFile);
    const meta = text && parseMeta(new TextDecoder().decode(text));
    const opened: OpenFile[] = [];
    try {
      for (const file of [dataFile, recordsFile]) opened.push(await files.open(name, file));
      const [data, records] = opened as [OpenFile, OpenFile];
      const entry = new FolderEntry(files, name, unlock, makeRoom, data, records);
      if (meta && meta.url === url) {
        entry.#meta = meta;
        entry.#records = new PieceRecords(meta);
        records.read(entry.#records.all, 0);
        await entry.#writeWhole(usedFile, String(Date.now()));
      }
      return entry;
    } catch (reason) {
      // Nobody else could open them otherwise.
      for (const file of opened) await file.close().catch(() => {});
      throw reason;
    }
  }

  private constructor(
    files: FileSystem,
    name: string,
    unlock: Unlock,
    makeRoom: (bytes: number) => Promise<void>,
    data: OpenFile,
    recordFile: OpenFile,
  ) {
    this.#files = files;
    this.#name = name;
    this.#unlock = unlock;
    this.#makeRoom = makeRoom;
    this.#data = data;
    this.#recordFile = recordFile;
  }

  get meta(): EntryMeta | undefined {
    return this.#meta;
  }

  async begin(meta: EntryMeta): Promise<void> {
    this.#meta = undefined;
    this.#records = new PieceRecords(meta);
    await this.#recordFile.truncate(0);
    await this.#data.truncate(0);
    await this.#makeRoom(meta.fileBytes);
    await this.#writeWhole(metaFile, JSON.stringify(meta));
    this.#meta = meta;
  }

  digest(piece: number): Uint8Array | undefined {
    return this.#records?.digest(piece);
  }

  async read(piece: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return readPiece(this.#data, this.#meta!, this.#records!, piece);
  }

  readInto(piece: number, target: Uint8Array<ArrayBuffer>): boolean {
    const found = this.#data.read(target, pieceRange(this.#meta!, piece).begin);
    return found === target.length && this.#records!.agrees(piece, target);
  }

  async write(piece: number, bytes: Uint8Array, digest: Uint8Array): Promise<void> {
    await this.#data.write(bytes, pieceRange(this.#meta!, piece).begin);
    await this.#setRecord(piece, PieceRecords.of(bytes, digest));
  }

  async drop(piece: number): Promise<void> {
    await this.#setRecord(piece, new Uint8Array(PieceRecords.bytes));
  }

  async close(): Promise<void> {
    try {
      try {
        await this.#data.close();
      } finally {
        await this.#recordFile.close();
      }
      // What was opened and never begun is not worth a folder.
      if (!this.#meta) await this.#files.remove(this.#name);
    } finally {
      await this.#unlock();
    }
  }

  async #setRecord(piece: number, record: Uint8Array): Promise<void> {
    await this.#recordFile.write(record, piece * PieceRecords.bytes);
    this.#records!.at(piece).set(record);
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
