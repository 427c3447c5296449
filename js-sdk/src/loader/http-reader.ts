// Reads a file over HTTP: goes on with Range and If-Range where a connection breaks, stalls or is
// refused for a while, and never mixes two versions of a file.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import { streamChunks } from "./chunks.js";
import { checkResponse } from "./fetch-source.js";
import type { PrivateFetch } from "./private-fetch.js";
import { ChunkCollector, type ByteReader } from "./reader.js";

/** How a URL is asked. */
export interface HttpOptions {
  /** Headers of every request; not sent on to another origin by a redirect. */
  headers: Record<string, string>;
  /** A connection without a byte for this long counts as broken, in milliseconds. */
  stallMs: number;
  /** False: browsers may keep the answer in their HTTP cache. */
  noStore: boolean;
  /** Asks without sending the caller's headers to another origin (private-fetch.ts). */
  fetch: PrivateFetch;
}

/** By what two answers are known to be of one version of a file. */
export interface Validator {
  /** The address that answered so: another one of the same file may say it otherwise. */
  url?: string | undefined;
  /** A strong ETag. */
  etag?: string | undefined;
  /** The Last-Modified header. */
  lastModified?: string | undefined;
  /** Size in bytes, as an answer with a range told it; 0 while unknown. */
  total: number;
}

/** The server has another version of the file than the one that was begun. */
export class FileChanged extends Error {}

// Attempts that bring no byte, in a row, before the error is the caller's: where the file was seen
// before, about half a minute of waiting; where there never was an answer, under a second.
const attemptsAfterAnswer = 7;
const attemptsBeforeAnswer = 3;
const firstDelayMs = 250;
const longestDelayMs = 8000;
// A server that wants more patience than this gets an error instead.
const longestRetryAfterMs = 120_000;
// Bytes that are read and dropped rather than asked for anew.
const longestSkip = 256 << 10;

/** A file at a URL. */
export class HttpReader implements ByteReader {
  /** The address. */
  readonly name: string;
  readonly #options: HttpOptions;
  readonly #signal: AbortSignal;
  #validator: Validator;
  // What whole answers announced as their length, which is the compressed one where the header that
  // says so is hidden from pages of another origin.
  #announced = 0;
  #toldSize = 0;
  // Where a stream ended in order before the file should have.
  #endedAt = -1;
  #hashed = false;
  #doubted = false;
  #answered = false;
  // Whether the last answer came from where a redirect led.
  #redirected = false;
  #stream: ChunkCollector | undefined;
  #abortStream: AbortController | undefined;
  // Where #stream's first byte lies in the file.
  #streamStart = 0;
  // Servers that send the whole file whatever the range.
  #ignoresRange = false;
  #failures = 0;
  #retryAfterMs: number | undefined;

  /** `known`: of a version of the file that is partly there; a newer one is a FileChanged. */
  constructor(url: string, options: HttpOptions, signal: AbortSignal, known?: Validator) {
    this.name = url;
    this.#options = options;
    this.#signal = signal;
    this.#validator = known ?? { total: 0 };
  }

  /** As the file tells it, else as the server does; 0 while unknown. */
  get size(): number {
    return this.#toldSize || this.#validator.total || this.#announced;
  }

  /**
   * What the file's header tells: its size, which counts more than that of an answer, and whether
   * hashes decide which version the bytes are of. Then ETags need not agree: a server's machines
   * may differ in them.
   */
  setFile(size: number, hashed: boolean): void {
    this.#toldSize = size;
    this.#hashed = hashed;
  }

  /** Whether an answer was named as of another version, and hashes are to decide. */
  get doubted(): boolean {
    return this.#doubted;
  }

  /** Of the version that is read. */
  get validator(): Validator {
    return this.#validator;
  }

  /** As ByteReader.read. */
  async read(
    offset: number,
    length: number,
    end: number,
    onBytes?: (filled: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    const filled = await this.readInto(offset, bytes, end, onBytes);
    return filled === length ? bytes : bytes.slice(0, filled);
  }

  /** Likewise into `target`; returns how many bytes there were. */
  async readInto(
    offset: number,
    target: Uint8Array,
    end: number,
    onBytes: (filled: number) => void = () => {},
  ): Promise<number> {
    const { length } = target;
    let filled = 0;
    while (filled < length) {
      try {
        if (!(await this.#seek(offset + filled, Math.max(end, offset + length)))) return filled;
        const arrived = (now: number) => {
          filled = now;
          this.#failures = 0;
          onBytes(now);
        };
        await this.#stream!.fill(target, filled, arrived);
        if (filled < length && (await this.#hasEnded(offset + filled))) return filled;
      } catch (reason) {
        await this.#recover(reason);
      }
    }
    return filled;
  }

  /** As ByteReader.hasMore. */
  async hasMore(offset: number): Promise<boolean> {
    const stream = this.#stream;
    if (this.#validator.total > 0 || !stream) return this.#validator.total > offset;
    if (this.#streamStart + stream.position !== offset) return false;
    return (await stream.fill(new Uint8Array(1), 0).catch(() => 0)) > 0;
  }

  /** Ends the request that is under way. */
  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#abortStream?.abort();
    await stream?.close().catch(() => {});
  }

  // The stream ended in order. Whether the file does: by the server's own word, or because it did
  // so before; else it is asked for the rest.
  async #hasEnded(position: number): Promise<boolean> {
    await this.close();
    if (this.size === 0 || position >= this.size) return true;
    const again = this.#endedAt === position;
    this.#endedAt = position;
    return again;
  }

  // Brings the stream to `position`; false where the file ends there or before.
  async #seek(position: number, end: number): Promise<boolean> {
    if (this.#stream) {
      const at = this.#streamStart + this.#stream.position;
      const gap = position - at;
      if (gap === 0) return true;
      if (gap > 0 && (gap <= longestSkip || this.#ignoresRange)) {
        if (await this.#stream.skipTo(position - this.#streamStart)) return true;
        // An answer to a range may end where it was asked to.
      }
      await this.close();
    }
    const { size } = this;
    if (size !== 0 && position >= size) return false;
    return this.#open(position, size === 0 ? end : Math.min(end, size));
  }

  async #open(position: number, end: number): Promise<boolean> {
    const { etag, lastModified } = this.#validator;
    const { size } = this;
    const headers: Record<string, string> = { ...this.#options.headers };
    // The first request of a file is a plain one: no preflight, and every server knows it.
    const whole = this.#ignoresRange || (position === 0 && (size === 0 || end >= size));
    if (!whole) {
      headers["range"] = `bytes=${position}-${size === 0 || end >= size ? "" : end - 1}`;
      // Across origins it costs a request for permission, which a plain range does not.
      const condition = this.#hashed ? undefined : (etag ?? lastModified);
      if (condition !== undefined) headers["if-range"] = condition;
    }
    const attempt = new AbortController();
    this.#abortStream = attempt;
    const response = await this.#request(headers, attempt, whole && this.#failures === 0);
    this.#redirected = response.redirected;
    const { start, ended } = this.#check(response, position, whole);
    if (ended) {
      attempt.abort();
      return false;
    }
    this.#answered = true;
    const received = start;
    const stalling = watchStalls(
      response.body as ReadableStream<Uint8Array>,
      this.#options.stallMs,
      attempt,
    );
    this.#streamStart = start;
    this.#stream = new ChunkCollector(
      streamChunks(stalling, this.#signal, (reason, bytes) =>
        this.#broken(received + bytes, reason),
      ),
    );
    return start === position || this.#stream.skipTo(position - start);
  }

  #broken(received: number, reason: unknown): TinyVLMError {
    const { size } = this;
    const of = size ? ` of ${size}` : "";
    return new TinyVLMError(
      "network",
      `the connection to ${this.name} broke after ${received}${of} bytes: ` +
        describeReason(reason),
      { cause: reason, url: this.name },
    );
  }

  async #request(
    headers: Record<string, string>,
    attempt: AbortController,
    mayBeStored: boolean,
  ): Promise<Response> {
    const { noStore, stallMs } = this.#options;
    const abort = () => attempt.abort(this.#signal.reason);
    this.#signal.addEventListener("abort", abort, { once: true });
    if (this.#signal.aborted) abort();
    const stall = setTimeout(() => attempt.abort(stalled(stallMs)), stallMs);
    try {
      const cache: RequestCache = noStore || !mayBeStored ? "no-store" : "default";
      const init = { headers, cache, signal: attempt.signal };
      return await this.#options.fetch(this.name, init);
    } catch (reason) {
      if (this.#signal.aborted) throw abortedError("the download", this.#signal);
      if (reason instanceof TinyVLMError) throw reason;
      const why = attempt.signal.aborted ? describeReason(attempt.signal.reason) : "";
      throw new TinyVLMError(
        "network",
        `no answer from ${this.name}: ${why || describeReason(reason)} ` +
          "(offline, a wrong host, or blocked by CORS or a content security policy)",
        { cause: reason, url: this.name },
      );
    } finally {
      clearTimeout(stall);
      // The stream that follows listens for itself (streamChunks).
      this.#signal.removeEventListener("abort", abort);
    }
  }

  // Where the answer's first byte lies; `ended`: the file has no byte at `position`.
  #check(response: Response, position: number, whole: boolean): { start: number; ended: boolean } {
    const { status } = response;
    this.#retryAfterMs = retryAfterMs(header(response, "retry-after"));
    if (status === 416) {
      const total = /^bytes \*\/(\d+)$/.exec(header(response, "content-range"))?.[1];
      void response.body?.cancel().catch(() => {});
      if (total !== undefined && Number(total) < position) throw new FileChanged();
      if (Number(total) === position || this.size === 0) return { start: position, ended: true };
      throw new TinyVLMError(
        "network",
        `wanted bytes from ${position} on of ${this.name}, the server has none there (416)`,
        { url: this.name },
      );
    }
    if (status === 206 && !whole) {
      const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header(response, "content-range"));
      const readable = range !== null;
      // Across origins the header is only readable where the server allows it.
      const start = readable ? Number(range[1]) : position;
      const total = readable && range[3] !== "*" ? Number(range[3]) : 0;
      const multipart = /^multipart\//i.test(header(response, "content-type"));
      if (multipart || start !== position) {
        void response.body?.cancel().catch(() => {});
        // The next answer may be right; two in a row that are not are the server's way.
        this.#ignoresRange = this.#failures > 0;
        throw new TinyVLMError(
          "network",
          `wanted bytes from ${position} on of ${this.name}, the server sent ` +
            (multipart ? "several ranges" : `those from ${start} on`),
          { url: this.name },
        );
      }
      checkResponse(response, this.name);
      this.#sameVersion(response, total, 0, this.#hashed);
      return { start, ended: false };
    }
    const announced = checkResponse(response, this.name);
    // Behind the wrong name of a whole file nothing is gained by reading up to where this one was.
    this.#sameVersion(response, 0, announced, this.#hashed && whole);
    if (!whole) this.#ignoresRange = true;
    return { start: 0, ended: false };
  }

  // Throws FileChanged where the answer is named as of another version than those before, unless
  // `mayDiffer`: then hashes decide.
  #sameVersion(response: Response, total: number, announced: number, mayDiffer: boolean): void {
    const known = this.#validator;
    const weak = header(response, "etag");
    const etag = weak && !weak.startsWith("W/") ? weak : undefined;
    const lastModified = header(response, "last-modified") || undefined;
    // Both known, and not equal.
    const differs = <Value>(before: Value | undefined, now: Value | undefined) =>
      Boolean(before) && Boolean(now) && before !== now;
    const renamed =
      differs(known.etag, etag) || (!known.etag && differs(known.lastModified, lastModified));
    const resized = differs(known.total, total) || differs(this.#announced, announced);
    this.#doubted ||= renamed || resized;
    if ((renamed || resized) && !mayDiffer) {
      void response.body?.cancel().catch(() => {});
      throw new FileChanged();
    }
    this.#validator = {
      url: this.name,
      etag: known.etag ?? etag,
      lastModified: known.lastModified ?? lastModified,
      total: known.total || total,
    };
    this.#announced ||= announced;
  }

  // Waits before the next attempt, or throws where there is none.
  async #recover(reason: unknown): Promise<void> {
    await this.close();
    if (this.#signal.aborted) throw abortedError("the download", this.#signal);
    if (reason instanceof FileChanged) throw reason;
    this.#failures++;
    const attempts = this.#answered ? attemptsAfterAnswer : attemptsBeforeAnswer;
    // An address that was given out for a time or for one request; the next one is a fresh one.
    const spent = this.#redirected && isStatus(reason, [401, 403, 410]);
    if (!(spent || mayPass(reason)) || this.#failures >= attempts) throw reason;
    const backOff = Math.min(longestDelayMs, firstDelayMs * 2 ** (this.#failures - 1));
    const delay = this.#retryAfterMs ?? backOff * (0.5 + Math.random() / 2);
    this.#retryAfterMs = undefined;
    if (delay > longestRetryAfterMs) throw reason;
    await wait(delay, this.#signal);
  }
}

function header(response: Response, name: string): string {
  return response.headers.get(name) ?? "";
}

// Milliseconds that a Retry-After header asks for: seconds, or a date.
function retryAfterMs(value: string): number | undefined {
  if (value === "") return undefined;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : 1000 * seconds;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

// Whether another attempt may end better.
function mayPass(reason: unknown): boolean {
  if (!(reason instanceof TinyVLMError)) return false;
  if (reason.code === "network") return true;
  return (reason.status ?? 0) >= 500 || isStatus(reason, [304, 408, 425, 429]);
}

const isStatus = (reason: unknown, statuses: number[]): boolean =>
  reason instanceof TinyVLMError && reason.code === "http" && statuses.includes(reason.status ?? 0);

const stalled = (stallMs: number) => new Error(`no byte arrived for ${stallMs / 1000} s`);

// A stream that fails where nothing arrives for too long.
function watchStalls(
  body: ReadableStream<Uint8Array>,
  stallMs: number,
  attempt: AbortController,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => {
            reject(stalled(stallMs));
            attempt.abort();
          }, stallMs);
        });
        try {
          const { value, done } = await Promise.race([reader.read(), late]);
          if (done) controller.close();
          else controller.enqueue(value);
        } finally {
          clearTimeout(timer);
        }
      },
      async cancel(reason) {
        attempt.abort();
        await reader.cancel(reason).catch(() => {});
      },
    },
    // Nothing waits in between: what does is lost when the connection breaks.
    { highWaterMark: 0 },
  );
}

/** Resolves after `ms`, rejects when `signal` fires. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(abortedError("the download", signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
