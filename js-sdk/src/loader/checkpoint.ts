// A checkpoint as the source of a model: its files are read as the conversion asks for them, and
// the model file is kept piece by piece as it is made.

import { TinyVLMError } from "../protocol/errors.js";
import { hexOf } from "../protocol/hex.js";
import type {
  ConversionInput,
  ConversionOptions,
  ConversionTask,
  Converter,
} from "../protocol/conversion.js";
import { entryFormat, isWhole, pieceCount, type Entry, type EntryMeta } from "./cache.js";
import type { ByteReader } from "./reader.js";
import type { ModelProgress } from "./model-file.js";
import { sha256 } from "./open-model.js";

/** The files of a checkpoint, wherever they are. */
export interface CheckpointFiles {
  /** For messages, and the model's name where the checkpoint does not say one. */
  name: string;
  /** Another one where any file changed. */
  version: string;
  files: { name: string; bytes: number }[];
  /** Fills `target` from byte `offset` of a file on; returns how many bytes there were. */
  read(file: string, offset: number, target: Uint8Array): Promise<number>;
}

// Large enough that a request's way there and back does not count, small beside a model.
const requestBytes = 8 << 20;
const chunkBytes = 1 << 20;
// Each of them stands for a tokenizer; the conversion says what is missing beside it.
const tokenizerFiles = ["tokenizer.json", "vocab.json", "tokenizer.model"];
// Matrices of a layer that were sampled and are asked for next; larger ones are read again.
const keptSpanBytes = 64 << 20;

/**
 * Converts into `entry`, goes on where an earlier conversion of the same files was. Errors: those
 * of the files, and of the conversion (`not_found`, `invalid_file`, `unsupported`).
 */
export async function convertInto(
  entry: Entry,
  url: string,
  checkpoint: CheckpointFiles,
  type: string,
  createConverter: (options: ConversionOptions, input: ConversionInput) => Converter,
  onProgress: (progress: ModelProgress) => void,
  warn: (warning: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { files, name, version } = checkpoint;
  const before = entry.meta?.validator.etag === version ? entry.meta : undefined;
  if (before && isWhole(entry)) return;
  const stored = before ? storedChunks(entry, before) : "";
  const tokenizer = files.some((file) => tokenizerFiles.includes(file.name));
  const converter = createConverter(
    { name, type, tokenizer },
    {
      files,
      requestBytes,
      storedSha256: stored,
      storedHeaderBytes: stored === "" ? 0 : before!.headerBytes,
    },
  );
  const source = new SpanReader(checkpoint);
  const cachedBytes = stored === "" ? 0 : before!.headerBytes + (stored.length / 64) * chunkBytes;
  let begun = stored !== "";
  try {
    for (;;) {
      if (signal.aborted) throw new TinyVLMError("aborted", "loading was cancelled");
      const task = converter.next();
      if (task.kind === "read") {
        const wanted = task.runs * task.bytes;
        // Straight into the converter's memory, which nobody changes until it is asked for its next
        // task: new arrays for a gigabyte pile up until the garbage is collected.
        await source.read(task, converter.memory(task.address, wanted));
        converter.supply(wanted);
      } else if (task.kind === "write") {
        const { headerBytes, dataBytes, offset } = task;
        const fileBytes = headerBytes + dataBytes;
        if (!begun) {
          const validator = { etag: version, total: fileBytes };
          const meta: EntryMeta = {
            ...{ format: entryFormat, url, validator, headerBytes, chunkBytes, fileBytes },
            begun: Date.now(),
          };
          await entry.begin(meta);
          begun = true;
        }
        const bytes = converter.memory(task.address, task.bytes) as Uint8Array<ArrayBuffer>;
        const piece = offset === 0 ? 0 : 1 + (offset - headerBytes) / chunkBytes;
        // Without the platform's hashes nothing outlives the load: any digest says "it is there".
        const ofHeader = sha256 ?? (async () => new Uint8Array(32).fill(1));
        const digest = offset === 0 ? await ofHeader(bytes) : task.sha256;
        await entry.write(piece, bytes, digest);
        const loadedBytes = offset === 0 ? fileBytes : Math.min(fileBytes, offset + task.bytes);
        onProgress({ loadedBytes, totalBytes: fileBytes, cachedBytes });
      } else if (task.kind === "restart") {
        begun = false;
      } else {
        converter.warnings().forEach(warn);
        if (!tokenizer)
          warn(
            `${name} has no tokenizer (${tokenizerFiles.join(", ")}): the model cannot be asked`,
          );
        return;
      }
    }
  } finally {
    converter.free();
  }
}

// The digests of the chunks that are kept from the first on.
function storedChunks(entry: Entry, meta: EntryMeta): string {
  let text = "";
  for (let piece = 1; piece < pieceCount(meta); piece++) {
    const digest = entry.digest(piece);
    if (!digest) break;
    text += hexOf(digest);
  }
  return text;
}

type ReadTask = Extract<ConversionTask, { kind: "read" }>;

interface Span {
  file: string;
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

// Whether a read covers the last byte of a span.
const reaches = (file: string, offset: number, bytes: number, span: Span): boolean => {
  const end = span.offset + span.bytes.length;
  return file === span.file && offset < end && end <= offset + bytes;
};

// Reads for a conversion. Samples of a matrix are many short runs: the whole of it is read at once
// and kept for a moment, because it is asked for next.
class SpanReader {
  readonly #checkpoint: CheckpointFiles;
  #spans: Span[] = [];
  // Memory of spans that are not kept any more, for the next ones.
  readonly #spare: ArrayBuffer[] = [];

  constructor(checkpoint: CheckpointFiles) {
    this.#checkpoint = checkpoint;
  }

  /** Writes the runs to `target`, one behind the other. */
  async read({ file, offset, bytes, runs, stride }: ReadTask, target: Uint8Array): Promise<void> {
    const length = (runs - 1) * stride + bytes;
    let span = this.#kept(file, offset, length);
    if (!span && runs > 1 && length <= keptSpanBytes) span = await this.#keep(file, offset, length);
    for (let run = 0; run < runs; run++) {
      const place = target.subarray(run * bytes, (run + 1) * bytes);
      if (span) place.set(span.subarray(run * stride, run * stride + bytes));
      else await this.#fill(place, file, offset + run * stride);
    }
    // A tensor is read from front to back: what reaches the end of a span was the last of it.
    if (runs === 1) this.#drop((each) => reaches(file, offset, bytes, each));
  }

  #kept(file: string, offset: number, bytes: number): Uint8Array | undefined {
    for (const span of this.#spans) {
      const from = offset - span.offset;
      if (span.file === file && from >= 0 && from + bytes <= span.bytes.length)
        return span.bytes.subarray(from, from + bytes);
    }
    return undefined;
  }

  async #keep(file: string, offset: number, length: number): Promise<Uint8Array> {
    const size = () => this.#spans.reduce((sum, span) => sum + span.bytes.length, 0);
    while (this.#spans.length > 0 && size() + length > keptSpanBytes) {
      const [oldest] = this.#spans;
      this.#drop((each) => each === oldest);
    }
    const fitting = this.#spare.findIndex(({ byteLength }) => byteLength >= length);
    const [memory] = fitting < 0 ? [] : this.#spare.splice(fitting, 1);
    // One that is too small makes room for one that is not.
    if (!memory) this.#spare.pop();
    const bytes = new Uint8Array(memory ?? new ArrayBuffer(length), 0, length);
    await this.#fill(bytes, file, offset);
    this.#spans.push({ file, offset, bytes });
    return bytes;
  }

  #drop(isOver: (span: Span) => boolean): void {
    for (const span of this.#spans.filter(isOver)) this.#spare.push(span.bytes.buffer);
    this.#spans = this.#spans.filter((span) => !isOver(span));
  }

  async #fill(target: Uint8Array, file: string, offset: number): Promise<void> {
    const found = await this.#checkpoint.read(file, offset, target);
    if (found === target.length) return;
    throw new TinyVLMError(
      "invalid_file",
      `${this.#checkpoint.name}/${file}: ${target.length} bytes from ${offset} on wanted, ` +
        `${found} found`,
    );
  }
}

/** Holds the pieces of a model file in memory, where they cannot be kept. */
export class MemoryEntry implements Entry {
  #meta: EntryMeta | undefined;
  #pieces = new Map<number, { bytes: Uint8Array<ArrayBuffer>; digest: Uint8Array }>();

  get meta(): EntryMeta | undefined {
    return this.#meta;
  }
  async begin(meta: EntryMeta): Promise<void> {
    this.#meta = meta;
    this.#pieces.clear();
  }
  digest(piece: number): Uint8Array | undefined {
    return this.#pieces.get(piece)?.digest;
  }
  async read(piece: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = this.#pieces.get(piece)?.bytes;
    this.#pieces.delete(piece); // the engine has it now
    return bytes;
  }
  async write(piece: number, bytes: Uint8Array, digest: Uint8Array): Promise<void> {
    this.#pieces.set(piece, { bytes: bytes.slice(), digest });
  }
  async drop(piece: number): Promise<void> {
    this.#pieces.delete(piece);
  }
  async close(): Promise<void> {
    this.#pieces.clear();
  }
}

/** Reads a whole model file out of an entry, from front to back. */
export class EntryReader implements ByteReader {
  readonly name: string;
  readonly #entry: Entry;
  #piece = 0;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(entry: Entry, name: string) {
    this.#entry = entry;
    this.name = name;
  }

  get size(): number {
    return this.#entry.meta?.fileBytes ?? 0;
  }

  async read(
    _offset: number,
    length: number,
    _end: number,
    onBytes: (filled: number) => void = () => {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) {
        const { meta } = this.#entry;
        if (!meta || this.#piece >= pieceCount(meta)) break;
        const bytes = await this.#entry.read(this.#piece++);
        if (!bytes) break;
        this.#rest = bytes;
      }
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
      onBytes(filled);
    }
    return filled === length ? bytes : bytes.slice(0, filled);
  }

  async hasMore(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}
}
