// Brings a model file into the engine: from what is kept on the device, and the rest from its
// source; hashes it on the way and keeps what arrived.

import { TinyVLMError } from "../protocol/errors.js";
import {
  entryFormat,
  isWhole,
  pieceCount,
  pieceRange,
  sameBytes,
  type Entry,
  type EntryMeta,
} from "./cache.js";
import type { ModelLayout } from "../protocol/values.js";
import { joined } from "./chunks.js";
import { FileChanged, type Validator } from "./http-reader.js";
import type { ByteReader } from "./reader.js";

/** What takes the file: the engine. */
export interface ModelSink {
  /** An empty model in place of the one that was begun. */
  begin(): void;
  /** `verified`: the whole header, or whole chunks behind it, whose hashes were compared. */
  append(bytes: Uint8Array, verified: boolean): "header" | "data" | "complete";
  /**
   * The sink's own memory for `bytes` bytes of the data section, `ahead` bytes behind the last one
   * that it took; undefined where storages cannot read into it. Valid until the next call.
   */
  place(ahead: number, bytes: number): Uint8Array<ArrayBuffer> | undefined;
  /** Takes the next `bytes` bytes, which were placed: whole chunks with the right hashes. */
  takePlaced(bytes: number): void;
  /** Once the header is whole. */
  layout(): ModelLayout;
  /** The file has ended; throws where more was to come. */
  end(): void;
}

/** A reader of a model file; over HTTP it knows more. */
export interface ModelReader extends ByteReader {
  /** Of the version that is read. */
  readonly validator?: Validator;
  /** Tells it what the file's header gives: its size, and whether there are hashes. */
  setFile?(size: number, hashed: boolean): void;
  /** Whether an answer was named as of another version, and hashes are to decide. */
  readonly doubted?: boolean;
}

/** Where the file comes from. */
export interface ModelOrigin {
  /** A reader of the file; of the version that `known` describes, or else FileChanged. */
  open(known?: Validator): ModelReader;
  /** Its address, where it has one. */
  url?: string;
  /** Whether any part can be read at any time, so that a damaged one is fetched again. */
  repeatable: boolean;
}

/** How far it is; bytes of the file. */
export interface ModelProgress {
  loadedBytes: number;
  /** 0 while unknown. */
  totalBytes: number;
  /** Of the loaded ones: those that were kept from an earlier load. */
  cachedBytes: number;
}

export interface ModelFileOptions {
  /** Where it is kept; undefined: nowhere. */
  entry: Entry | undefined;
  /** The address under which it is kept. */
  url: string;
  /** SHA-256; undefined: the engine computes it. */
  digest: ((bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>) | undefined;
  /** Called every now and then while nothing else is waited for; ends the load where it throws. */
  pause(): Promise<void>;
  onProgress(progress: ModelProgress): void;
  /** Looks at the first bytes, and throws where they cannot be a model's. */
  checkStart(bytes: Uint8Array): void;
  /** The entry cannot be used any more; the load goes on without. */
  onCacheFailure(reason: unknown): void;
}

// Pieces of files without hashes, which are hashed here to be kept.
const ownChunkBytes = 1 << 20;
// While the header's length is unknown it is asked for in steps of this size.
const headerStepBytes = 64 << 10;
// How long kept pieces are read before others are heard.
const pauseEveryMs = 20;
// Pieces that are hashed while the next ones arrive.
const piecesInFlight = 4;
// How often a piece with a wrong hash is fetched, and a file that changes is begun.
const attempts = 3;
// How often a header that is damaged is.
const headerAttempts = 2;

/**
 * Loads the file. Errors: those of the origin and of the engine, `invalid_file` where a chunk is
 * wrong however often it is fetched, `network` where the file changes again and again.
 */
export async function loadModelFile(
  origin: ModelOrigin,
  sink: ModelSink,
  options: ModelFileOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const load = new Load(origin, sink, options);
    try {
      await load.run();
      return;
    } catch (reason) {
      const again = origin.repeatable && attempt < attempts;
      if (reason instanceof FileChanged) {
        await load.forget();
        if (again) continue;
        throw new TinyVLMError("network", `${options.url} changed while it was read`, {
          url: options.url,
        });
      }
      // A header that was damaged on its way, or in the storage.
      if (again && attempt < headerAttempts && load.inHeader && isDamage(reason)) {
        await load.forget();
        continue;
      }
      throw reason;
    } finally {
      await load.close();
    }
  }
}

const isDamage = (reason: unknown) =>
  reason instanceof TinyVLMError && reason.code === "invalid_file" && reason.url === undefined;

interface Piece {
  index: number;
  /** undefined: they lie in the sink's memory. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
  length: number;
  /** Its SHA-256; undefined: it is not known here. */
  digest: Promise<Uint8Array> | undefined;
  /** Whether it was kept, and has not changed since. */
  kept: boolean;
}

// Runs work one after the other while more is added.
class InOrder {
  readonly #limit: number;
  readonly #pending: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when fewer than the limit are under way; rejects where one before failed. */
  async add(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    this.#last.catch(() => {}); // it is awaited later
    this.#pending.push(this.#last);
    if (this.#pending.length >= this.#limit) await this.#pending.shift();
  }

  /** Resolves when all is done. */
  end(): Promise<void> {
    return this.#last;
  }
}

class Load {
  readonly #origin: ModelOrigin;
  readonly #sink: ModelSink;
  readonly #options: ModelFileOptions;
  #entry: Entry | undefined;
  #reader: ModelReader | undefined;
  #known: Validator | undefined;
  #meta!: EntryMeta;
  #hashes: Uint8Array = new Uint8Array(0);
  #hashed = false;
  #loaded = 0;
  #cached = 0;
  // Bytes of pieces that the sink has not taken yet.
  #ahead = 0;
  #headerWasKept = false;
  /** Whether the header is not whole yet. */
  inHeader = true;

  constructor(origin: ModelOrigin, sink: ModelSink, options: ModelFileOptions) {
    this.#origin = origin;
    this.#sink = sink;
    this.#options = options;
    this.#entry = options.entry;
  }

  async run(): Promise<void> {
    this.#sink.begin();
    this.#known = this.#entry?.meta?.validator;
    const rest = (await this.#headerFromEntry()) ?? (await this.#headerFromOrigin());
    this.inHeader = false;
    if (!(await this.#data(rest))) return;
    await this.#checkEnd();
    this.#sink.end();
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
  }

  /** What is kept is not of this file. */
  async forget(): Promise<void> {
    const meta = this.#entry?.meta;
    if (meta) await this.#keep((entry) => entry.begin({ ...meta, validator: { total: 0 } }));
    this.#known = undefined;
  }

  // The bytes behind the header that came with it: none. undefined: no whole header is kept.
  async #headerFromEntry(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const meta = this.#entry?.meta;
    if (!meta) return undefined;
    const piece = await this.#fromEntry(0, meta);
    if (!piece) return undefined;
    const header = piece.bytes!;
    if (!this.#takesHeader(header) || !this.#canGoOn(meta)) {
      this.#sink.begin();
      await this.forget();
      return undefined;
    }
    this.#headerWasKept = true;
    this.#count(header.length, true);
    return new Uint8Array(0);
  }

  // False where what was kept as the header is none.
  #takesHeader(header: Uint8Array): boolean {
    try {
      return this.#sink.append(header, true) !== "header" && this.#describe(header.length);
    } catch (reason) {
      if (reason instanceof TinyVLMError && reason.code === "invalid_argument") return false;
      throw reason;
    }
  }

  // Whether what is missing can be told to be of the same file: by hashes or by a validator.
  #canGoOn(meta: EntryMeta): boolean {
    if (this.#hashed || meta.validator.etag || meta.validator.lastModified) return true;
    return this.#entry !== undefined && isWhole(this.#entry);
  }

  async #headerFromOrigin(): Promise<Uint8Array<ArrayBuffer>> {
    const reader = this.#open();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for (;;) {
      const bytes = await reader.read(length, headerStepBytes, Infinity, this.#arrivals());
      if (length === 0) this.#options.checkStart(bytes);
      if (bytes.length > 0) parts.push(bytes);
      length += bytes.length;
      const state = bytes.length > 0 ? this.#sink.append(bytes, false) : "header";
      if (state !== "header") break;
      if (bytes.length < headerStepBytes) this.#sink.end(); // says how it is truncated
    }
    this.#describe();
    reader.setFile?.(this.#meta.fileBytes, this.#hashed);
    const all = joined(parts, length);
    const header = all.slice(0, this.#meta.headerBytes);
    await this.#beginEntry(header);
    return all.slice(this.#meta.headerBytes);
  }

  // Reads the layout off the engine; false where the header is not `headerBytes` long.
  #describe(headerBytes?: number): boolean {
    const layout = this.#sink.layout();
    if (headerBytes !== undefined && layout.headerBytes !== headerBytes) return false;
    this.#hashed = layout.chunkBytes > 0;
    this.#hashes = layout.chunkSha256;
    this.#meta = {
      format: entryFormat,
      url: this.#options.url,
      validator: this.#known ?? { total: 0 },
      headerBytes: layout.headerBytes,
      chunkBytes: layout.chunkBytes || ownChunkBytes,
      fileBytes: layout.fileBytes,
      begun: Date.now(),
    };
    return true;
  }

  // Pieces of the same file that are kept already stay: its header tells, or its validator.
  async #beginEntry(header: Uint8Array<ArrayBuffer>): Promise<void> {
    const { digest } = this.#options;
    if (!this.#entry || !digest) return;
    const before = this.#entry.meta;
    this.#meta.validator = this.#reader?.validator ?? { total: 0 };
    const ofHeader = await digest(header);
    const same =
      before !== undefined &&
      before.headerBytes === this.#meta.headerBytes &&
      before.fileBytes === this.#meta.fileBytes &&
      before.chunkBytes === this.#meta.chunkBytes &&
      (this.#hashed || sameValidator(before.validator, this.#meta.validator));
    if (!same) await this.#keep((entry) => entry.begin(this.#meta));
    await this.#keep((entry) => entry.write(0, header, ofHeader));
  }

  // The data section. False where the file ended early, which the engine has judged.
  async #data(rest: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const inFlight = new InOrder(piecesInFlight);
    try {
      return await this.#pieces(rest, inFlight);
    } catch (reason) {
      // What arrived before is kept.
      await inFlight.end().catch(() => {});
      throw reason;
    }
  }

  async #pieces(rest: Uint8Array<ArrayBuffer>, inFlight: InOrder): Promise<boolean> {
    // What came with the header is in the engine already, which hashes the rest of that piece.
    let appended = rest.length;
    let paused = performance.now();
    const count = pieceCount(this.#meta);
    for (let index = 1; index < count; index++) {
      if (performance.now() - paused > pauseEveryMs) {
        await this.#options.pause();
        paused = performance.now();
      }
      const { begin, end } = pieceRange(this.#meta, index);
      const given = rest.subarray(0, Math.min(rest.length, end - begin));
      rest = rest.subarray(given.length);
      const piece = await this.#piece(index, given);
      const { bytes, length } = piece;
      const partly = Math.min(appended, length);
      appended -= partly;
      if (bytes && length < end - begin) {
        // The file ends here: the engine says whether it may.
        await inFlight.end();
        if (length > partly) this.#sink.append(bytes.subarray(partly), false);
        this.#sink.end();
        if (index === count - 1) await this.#keepPadded(index, bytes, end - begin);
        return false;
      }
      this.#ahead += length - partly;
      await inFlight.add(() => this.#take(piece, partly));
    }
    await inFlight.end();
    return true;
  }

  // The piece, from where it is kept or from the origin; `given` are first bytes that are here.
  async #piece(index: number, given: Uint8Array): Promise<Piece> {
    const { digest } = this.#options;
    const kept = given.length === 0 ? await this.#fromEntry(index, this.#meta) : undefined;
    if (kept) return kept;
    const { begin, end } = pieceRange(this.#meta, index);
    const wanted = end - begin - given.length;
    const from = begin + given.length;
    const tail =
      wanted === 0
        ? new Uint8Array(0)
        : await this.#open().read(from, wanted, this.#endOfMissing(index), this.#arrivals());
    const bytes = given.length === 0 ? tail : joined([given, tail], given.length + tail.length);
    const { length } = bytes;
    const whole = length === end - begin;
    return { index, bytes, length, digest: whole ? digest?.(bytes) : undefined, kept: false };
  }

  // Appends a piece of which `partly` bytes are in the engine, and keeps it.
  async #take(piece: Piece, partly: number): Promise<void> {
    const { index, length } = piece;
    let { bytes } = piece;
    if (piece.kept) {
      this.#count(length, true);
      this.#ahead -= length;
      if (bytes) this.#sink.append(bytes, true);
      else this.#sink.takePlaced(length);
      return;
    }
    let digest = await piece.digest;
    const wanted = this.#hashed ? this.#hashes.subarray((index - 1) * 32, index * 32) : undefined;
    if (digest && wanted && !sameBytes(digest, wanted) && this.#origin.repeatable) {
      if (partly > 0) throw new FileChanged(); // its beginning is in the engine
      ({ bytes, digest } = await this.#mended(index, wanted));
    }
    const right = digest !== undefined && (!wanted || sameBytes(digest, wanted));
    this.#ahead -= length - partly;
    // What was not compared here is hashed by the engine, which then says what is wrong.
    if (length > partly) this.#sink.append(bytes!.subarray(partly), partly === 0 && right);
    if (right && digest) {
      const keep = digest;
      await this.#keep((entry) => entry.write(index, bytes!, keep));
    }
  }

  // Keeps the last piece of a file that lacks its padding, with it.
  async #keepPadded(index: number, bytes: Uint8Array, length: number): Promise<void> {
    const padded = joined([bytes], length);
    const digest = await this.#options.digest?.(padded);
    if (digest) await this.#keep((entry) => entry.write(index, padded, digest));
  }

  // Fetches a piece whose bytes were wrong by itself.
  async #mended(
    index: number,
    wanted: Uint8Array,
  ): Promise<{ bytes: Uint8Array<ArrayBuffer>; digest: Uint8Array }> {
    const { begin, end } = pieceRange(this.#meta, index);
    const doubted = this.#reader?.doubted ?? false;
    for (let attempt = 1; attempt < attempts && !doubted; attempt++) {
      const bytes = await this.#fetched(index);
      const digest = await this.#options.digest!(bytes);
      if (sameBytes(digest, wanted)) return { bytes, digest };
    }
    // Then it is the header that is of another file.
    if (this.#headerWasKept || doubted) throw new FileChanged();
    throw new TinyVLMError(
      "invalid_file",
      `${this.#options.url}: bytes ${begin} to ${end} have another SHA-256 than the header says, ` +
        `${attempts} times in a row: the file is damaged where it is stored`,
      { url: this.#options.url },
    );
  }

  // A single piece, by a request of its own.
  async #fetched(index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = pieceRange(this.#meta, index);
    const reader = this.#newReader();
    try {
      return await reader.read(begin, end - begin, end);
    } finally {
      await reader.close();
    }
  }

  // A piece that is kept under the SHA-256 that the file gives, where it gives one. What was kept
  // under another, or has changed since, is forgotten.
  async #fromEntry(index: number, meta: EntryMeta): Promise<Piece | undefined> {
    const entry = this.#entry;
    const digest = entry?.digest(index);
    if (!entry || !digest) return undefined;
    try {
      const ofFile = this.#hashes.subarray((index - 1) * 32, index * 32);
      if (index === 0 || !this.#hashed || sameBytes(digest, ofFile)) {
        const { begin, end } = pieceRange(meta, index);
        const length = end - begin;
        const place = index > 0 && entry.readInto && this.#sink.place(this.#ahead, length);
        const bytes = place ? undefined : await entry.read(index);
        if (place ? entry.readInto!(index, place) : bytes)
          return { index, bytes, length, digest: undefined, kept: true };
      }
      await entry.drop(index);
    } catch (reason) {
      this.#abandonEntry(reason);
    }
    return undefined;
  }

  // Where the run of pieces that are missing from `index` on ends.
  #endOfMissing(index: number): number {
    const count = pieceCount(this.#meta);
    let last = index;
    while (last + 1 < count && !this.#entry?.digest(last + 1)) last++;
    return pieceRange(this.#meta, last).end;
  }

  // Bytes behind the end are the engine's to refuse.
  async #checkEnd(): Promise<void> {
    // Behind a file that hashes have shown to be whole, a server may send what it likes.
    if (this.#hashed && this.#origin.repeatable) return;
    if (await this.#reader?.hasMore(this.#meta.fileBytes))
      this.#sink.append(new Uint8Array(1), false);
  }

  #open(): ModelReader {
    return (this.#reader ??= this.#newReader());
  }

  #newReader(): ModelReader {
    const known = this.#reader?.validator ?? this.#known;
    const elsewhere = known?.url !== undefined && known.url !== this.#origin.url;
    // Only hashes tell that what is kept and what comes now are one file.
    if (elsewhere && !this.inHeader && !this.#hashed) throw new FileChanged();
    const reader = this.#origin.open(elsewhere ? undefined : known);
    if (!this.inHeader) reader.setFile?.(this.#meta.fileBytes, this.#hashed);
    return reader;
  }

  // Counts the bytes of one read as they arrive.
  #arrivals(): (filled: number) => void {
    let before = 0;
    return (filled) => {
      this.#count(filled - before, false);
      before = filled;
    };
  }

  #count(bytes: number, cached: boolean): void {
    this.#loaded += bytes;
    if (cached) this.#cached += bytes;
    const size = this.inHeader ? (this.#reader?.size ?? 0) : this.#meta.fileBytes;
    this.#options.onProgress({
      loadedBytes: this.#loaded,
      totalBytes: size >= this.#loaded ? size : 0,
      cachedBytes: this.#cached,
    });
  }

  async #keep(work: (entry: Entry) => Promise<void>): Promise<void> {
    if (!this.#entry) return;
    try {
      await work(this.#entry);
    } catch (reason) {
      this.#abandonEntry(reason);
    }
  }

  #abandonEntry(reason: unknown): void {
    this.#entry = undefined;
    this.#options.onCacheFailure(reason);
  }
}

function sameValidator(a: Validator, b: Validator): boolean {
  if (a.etag && b.etag) return a.etag === b.etag;
  return Boolean(a.lastModified) && a.lastModified === b.lastModified && a.total === b.total;
}
