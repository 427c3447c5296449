// Reading a file in order, some bytes at a time.

import type { OpenedSource } from "./chunks.js";

/** Reads forward. One read at a time. */
export interface ByteReader {
  /** For messages: a URL, a path or "the given bytes". */
  readonly name: string;
  /** Size of the file in bytes; 0 while unknown. */
  readonly size: number;
  /**
   * The bytes from `offset` on, which is never before the end of what was read: up to `length` of
   * them, fewer only where the file ends. `end`: no byte from there on will be asked for soon, so
   * that a request need not go further. `onBytes` is told how many are there whenever some arrive.
   * The array is the caller's.
   */
  read(
    offset: number,
    length: number,
    end: number,
    onBytes?: (filled: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Whether the file goes on at `offset`, which is where it should end. False where that cannot be
   * told without another request.
   */
  hasMore(offset: number): Promise<boolean>;
  /** Gives up what is still open. */
  close(): Promise<void>;
}

/** Collects the chunks of a stream into reads of a wanted length. */
export class ChunkCollector {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of the stream that were handed out or skipped. */
  position = 0;

  /** Collects `chunks`, which nobody else reads. */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * Fills `target` from `filled` on; returns how much of it is filled: less than all of it where
   * the stream has ended. `onBytes` is told of each arrival, so that nothing that arrived is lost
   * when the stream then breaks.
   */
  async fill(
    target: Uint8Array,
    filled: number,
    onBytes: (filled: number) => void = () => {},
  ): Promise<number> {
    while (filled < target.length) {
      const part = await this.#next();
      if (!part) break;
      const taken = part.subarray(0, target.length - filled);
      target.set(taken, filled);
      filled += taken.length;
      this.#take(taken.length);
      onBytes(filled);
    }
    return filled;
  }

  /** Passes over bytes up to `position`; false where the stream ends before. */
  async skipTo(position: number): Promise<boolean> {
    while (this.position < position) {
      const part = await this.#next();
      if (!part) return false;
      this.#take(Math.min(part.length, position - this.position));
    }
    return true;
  }

  /** Gives up the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = value;
    }
    return this.#rest;
  }

  #take(count: number): void {
    this.#rest = this.#rest.subarray(count);
    this.position += count;
  }
}

/** Reads a source that can only be read from front to back. */
export class SequentialReader implements ByteReader {
  /** As the source is called. */
  readonly name: string;
  /** In bytes; 0 while unknown. */
  readonly size: number;
  readonly #collector: ChunkCollector;

  /** Takes over the source. */
  constructor({ name, size, chunks }: OpenedSource) {
    this.name = name;
    this.size = size;
    this.#collector = new ChunkCollector(chunks);
  }

  /** As ByteReader.read. */
  async read(
    offset: number,
    length: number,
    _end: number,
    onBytes?: (filled: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    if (!(await this.#collector.skipTo(offset))) return bytes.slice(0, 0);
    const filled = await this.#collector.fill(bytes, 0, onBytes);
    return filled === length ? bytes : bytes.slice(0, filled);
  }

  /** As ByteReader.hasMore. */
  async hasMore(offset: number): Promise<boolean> {
    return (await this.read(offset, 1, offset + 1)).length > 0;
  }

  /** Releases the source. */
  close(): Promise<void> {
    return this.#collector.close();
  }
}
