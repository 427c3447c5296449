// Model files that are kept on the device, piece by piece: what is common to every storage. An
// entry is one version of the file at one address. Only pieces whose SHA-256 was right are kept,
// each with a checksum, with which what the storage gives back is compared before it is used.

import { TinyVLMError } from "../protocol/errors.js";
import { hexOf } from "../protocol/hex.js";
import type { CachedModel } from "../protocol/values.js";
import { checksum, checksumBytes } from "./checksum.js";
import { joined } from "./chunks.js";
import type { Validator } from "./http-reader.js";

/** Length of a SHA-256. */
const digestBytes = 32;

/** What is known of a file that is kept, wholly or in part. */
export interface EntryMeta {
  /** Of this layout; an entry of another one is not used. */
  format: typeof entryFormat;
  /** The address that the caller gave. */
  url: string;
  /** By which the server names this version. */
  validator: Validator;
  /** Bytes before the data section: piece 0. */
  headerBytes: number;
  /** Bytes of the other pieces; the last one may be short. */
  chunkBytes: number;
  /** Of the whole file. */
  fileBytes: number;
  /** When its download began, in milliseconds since 1970. */
  begun: number;
}
/** The layout of entries that this version writes. */
export const entryFormat = 2;

/** One file in a storage, held by nobody else meanwhile. */
export interface Entry {
  /** undefined: nothing is kept yet, or what is there is of another layout. */
  readonly meta: EntryMeta | undefined;
  /** Begins anew for a file of this description, without pieces. */
  begin(meta: EntryMeta): Promise<void>;
  /** The SHA-256 of a piece as it was written; undefined: it is not kept. */
  digest(piece: number): Uint8Array | undefined;
  /**
   * The bytes of a piece as they were written; undefined: the storage has lost or altered some. The
   * array is the caller's.
   */
  read(piece: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Likewise at once, into `target`, which has the piece's length; false: the storage has lost or
   * altered some. Absent where the storage is read asynchronously.
   */
  readInto?(piece: number, target: Uint8Array<ArrayBuffer>): boolean;
  /** Keeps a piece; when this resolves it outlives the process. */
  write(piece: number, bytes: Uint8Array, digest: Uint8Array): Promise<void>;
  /** Forgets a piece. */
  drop(piece: number): Promise<void>;
  /** Lets others have the entry. */
  close(): Promise<void>;
}

/** A place where files are kept. */
export interface Store {
  /** What it is, for messages. */
  readonly kind: string;
  /**
   * Opens the entry of `url`, empty where there is none, and keeps others from it until `close`.
   * While another page or process has it, a whole one is opened for reading alone; else this waits,
   * and says every now and then how far the other one is.
   */
  open(
    url: string,
    signal: AbortSignal,
    waiting?: (storedBytes: number, totalBytes: number) => void,
  ): Promise<Entry>;
  /** What is kept; the file that was opened last comes first. */
  list(): Promise<CachedModel[]>;
  /** Deletes an entry; false where there is none. Fails with `io` while somebody has it open. */
  delete(url: string): Promise<boolean>;
}

/** How many pieces a file has: its header and its chunks. */
export function pieceCount({ headerBytes, chunkBytes, fileBytes }: EntryMeta): number {
  return 1 + Math.ceil((fileBytes - headerBytes) / chunkBytes);
}

/** Bytes of the file: from `begin` up to, not with, `end`. */
export interface PieceRange {
  /** The first byte. */
  begin: number;
  /** The byte behind the last one. */
  end: number;
}

/** Where a piece lies in the file. */
export function pieceRange(
  { headerBytes, chunkBytes, fileBytes }: EntryMeta,
  piece: number,
): PieceRange {
  if (piece === 0) return { begin: 0, end: headerBytes };
  const begin = headerBytes + (piece - 1) * chunkBytes;
  return { begin, end: Math.min(fileBytes, begin + chunkBytes) };
}

/** What a storage keeps of each piece beside its bytes: its SHA-256, and behind it its checksum. */
export class PieceRecords {
  /** Bytes of one. */
  static readonly bytes = digestBytes + checksumBytes;
  /** Those of all pieces; zeros: the piece is not kept. */
  readonly all: Uint8Array<ArrayBuffer>;

  /** Of a file of this description, `stored` before; of what is missing in it nothing is kept. */
  constructor(meta: EntryMeta, stored: Uint8Array = new Uint8Array(0)) {
    this.all = new Uint8Array(pieceCount(meta) * PieceRecords.bytes);
    this.all.set(stored.subarray(0, this.all.length));
  }

  /** The record of a piece of these bytes and this SHA-256. */
  static of(bytes: Uint8Array, digest: Uint8Array): Uint8Array<ArrayBuffer> {
    return joined([digest, checksum(bytes)], PieceRecords.bytes);
  }

  /** A piece's record; to be filled. */
  at(piece: number): Uint8Array<ArrayBuffer> {
    return this.all.subarray(piece * PieceRecords.bytes, (piece + 1) * PieceRecords.bytes);
  }

  /** The SHA-256 of a piece; undefined: it is not kept. */
  digest(piece: number): Uint8Array | undefined {
    const record = this.at(piece);
    return record.some((byte) => byte !== 0) ? record.subarray(0, digestBytes) : undefined;
  }

  /** Whether these are the bytes that were kept. */
  agrees(piece: number, bytes: Uint8Array): boolean {
    return sameBytes(this.at(piece).subarray(digestBytes), checksum(bytes));
  }

  /** Bytes that the pieces that are kept have together. */
  storedBytes(meta: EntryMeta): number {
    let bytes = 0;
    for (let piece = 0; piece < pieceCount(meta); piece++) {
      const { begin, end } = pieceRange(meta, piece);
      if (this.digest(piece)) bytes += end - begin;
    }
    return bytes;
  }
}

/** Whether every piece of the model file is kept. */
export function isWhole(entry: Entry): boolean {
  const { meta } = entry;
  if (!meta) return false;
  for (let piece = 0; piece < pieceCount(meta); piece++) if (!entry.digest(piece)) return false;
  return true;
}

/**
 * A header is no longer (cpp/formats/gguf.cc), and it holds a hash for each of the other pieces and
 * their length in 32 bits.
 */
const mostHeaderBytes = 2 ** 26;

/** The metadata in a file of a storage; undefined where it is damaged or of another layout. */
export function parseMeta(text: string): EntryMeta | undefined {
  let meta: Partial<EntryMeta> | undefined;
  try {
    meta = JSON.parse(text) as Partial<EntryMeta>;
  } catch {
    return undefined;
  }
  const whole = (value: unknown, least: number) =>
    Number.isSafeInteger(value) && (value as number) >= least;
  const right =
    meta?.format === entryFormat &&
    typeof meta.url === "string" &&
    typeof meta.validator === "object" &&
    meta.validator !== null &&
    whole(meta.headerBytes, 1) &&
    whole(meta.chunkBytes, 1) &&
    whole(meta.fileBytes, meta.headerBytes!) &&
    whole(meta.begun, 0) &&
    meta.headerBytes! <= mostHeaderBytes &&
    meta.chunkBytes! < 2 ** 32 &&
    pieceCount(meta as EntryMeta) <= mostHeaderBytes / digestBytes;
  return right ? (meta as EntryMeta) : undefined;
}

/** The name of an entry's folder: letters that every file system takes, and one for each URL. */
export async function entryName(url: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  return hexOf(new Uint8Array(digest).subarray(0, 16));
}

/** Whether both hold the same bytes. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

/** The error of an entry that is to be deleted while it is in use. */
export function inUse(url: string): TinyVLMError {
  return new TinyVLMError("io", `the stored copy of ${url} is in use; it was not deleted`, {
    url,
  });
}
