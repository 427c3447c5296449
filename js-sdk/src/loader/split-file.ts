// A model file that lies in parts, one behind the other, each at an address of its own. In a file
// of the package of its own with what converts checkpoints: few are split.

import { TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, Delivery, LoadEvent } from "../protocol/messages.js";
import { FileChanged } from "./http-reader.js";
import type { ModelReader, ModelSink } from "./model-file.js";
import { openModel, originOf, type DeliveryPlatform } from "./open-model.js";

/**
 * Loads the model whose parts `sources` are; it is kept as one file. Errors: those of openModel,
 * and `unsupported` where a download cannot go on because a server does not tell how long a part
 * is.
 */
export async function openSplitFile(
  sources: readonly ByteSource[],
  delivery: Delivery,
  sink: ModelSink,
  platform: DeliveryPlatform,
  emit: (event: LoadEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const parts = await Promise.all(
    sources.map((source) => originOf(source, delivery, platform, signal)),
  );
  await openModel(sources.slice(0, 1), delivery, sink, platform, emit, signal, async () => ({
    open: () => new SplitReader(parts),
    repeatable: parts.every(({ repeatable }) => repeatable),
  }));
}

type Part = Awaited<ReturnType<typeof originOf>>;

/** Reads the parts as one file. */
export class SplitReader implements ModelReader {
  readonly #parts: readonly Part[];
  // Bytes of each part; undefined while unknown.
  readonly #sizes: (number | undefined)[];
  #reader: ModelReader | undefined;
  // The part that #reader reads, and up to where it was read.
  #index = 0;
  #position = 0;
  #hashed = false;
  // Of all parts together, as the file's header tells; 0 while unknown.
  #total = 0;

  /** Reads `parts`, of which there is at least one. */
  constructor(parts: readonly Part[]) {
    this.#parts = parts;
    this.#sizes = parts.map(() => undefined);
  }

  /** For messages: the address of the part that is read. */
  get name(): string {
    return this.#parts[this.#index]!.url ?? `part ${this.#index + 1}`;
  }

  /** As ByteReader.size: 0 until the size of every part is known. */
  get size(): number {
    const sizes = this.#sizes.map((size) => size ?? NaN);
    return sizes.reduce((sum, size) => sum + size, 0) || 0;
  }

  /** As ModelReader.setFile. */
  setFile(size: number, hashed: boolean): void {
    this.#total = size;
    this.#hashed = hashed;
    this.#reader?.setFile?.(this.#sizes[this.#index] ?? 0, hashed);
  }

  /** As ByteReader.read. */
  async read(
    offset: number,
    length: number,
    end: number,
    onBytes: (filled: number) => void = () => {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const place = await this.#find(offset + filled);
      if (!place) break;
      const { index, at } = place;
      const size = this.#sizes[index];
      const wanted = Math.min(length - filled, (size ?? Infinity) - at);
      const before = filled;
      const reader = await this.#open(index);
      const part = await reader.read(at, wanted, end - (offset + filled) + at, (now) =>
        onBytes(before + now),
      );
      bytes.set(part, filled);
      filled += part.length;
      this.#position = at + part.length;
      if (part.length === wanted) continue;
      // There is no further one: the engine says that the file is cut short.
      if (index === this.#parts.length - 1) break;
      if (size !== undefined) throw new FileChanged();
      // The part ends here, or the answer was cut short.
      this.#sizes[index] = Math.max(this.#position, await this.#ask(index));
      await this.close();
    }
    return filled === length ? bytes : bytes.slice(0, filled);
  }

  /** As ByteReader.hasMore. */
  async hasMore(offset: number): Promise<boolean> {
    if (this.size > 0) return this.size > offset;
    return (
      this.#index === this.#parts.length - 1 && (await this.read(offset, 1, offset + 1)).length > 0
    );
  }

  /** Ends the request that is under way. */
  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
  }

  // In which part a byte of the file lies, and where there; undefined: behind the last one.
  async #find(position: number): Promise<{ index: number; at: number } | undefined> {
    let begin = 0;
    for (const index of this.#parts.keys()) {
      const at = position - begin;
      const isLast = index === this.#parts.length - 1;
      if (isLast && this.#total > begin) this.#sizes[index] = this.#total - begin;
      const isNext = at === 0 || (index === this.#index && at === this.#position);
      if (this.#sizes[index] === undefined && !isNext && !isLast)
        this.#sizes[index] = await this.#known(index);
      const size = this.#sizes[index] ?? Infinity;
      if (at < size) return { index, at };
      begin += size;
    }
    return undefined;
  }

  // Asks for the size of a part: with a range of one byte, and plainly where a page may not read
  // what the answer to a range says of the whole. 0 where the server does not tell it.
  async #ask(index: number): Promise<number> {
    for (const told of [Number.MAX_SAFE_INTEGER, 0]) {
      const reader = this.#parts[index]!.open();
      try {
        reader.setFile?.(told, true);
        await reader.read(0, 1, 1);
        reader.setFile?.(0, true);
        if (reader.size > 0) return reader.size;
      } finally {
        await reader.close();
      }
    }
    return 0;
  }

  async #known(index: number): Promise<number> {
    const size = await this.#ask(index);
    if (size > 0) return size;
    const { url = `part ${index + 1}` } = this.#parts[index]!;
    throw new TinyVLMError(
      "unsupported",
      `${url}: wanted its size, to go on behind it; the server does not tell it`,
      { url },
    );
  }

  async #open(index: number): Promise<ModelReader> {
    if (!this.#reader || index !== this.#index) {
      await this.close();
      this.#index = index;
      this.#position = 0;
      this.#reader = this.#parts[index]!.open();
      this.#reader.setFile?.(this.#sizes[index] ?? 0, this.#hashed);
    }
    return this.#reader;
  }
}
