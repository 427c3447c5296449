// The bytes of an opened source, chunk by chunk as they arrive.

import { abortedError, TinyVLMError, type ErrorCode } from "../protocol/errors.js";

/** A source that is being read. */
export interface OpenedSource {
  /** For messages: a URL, a path or "the given bytes". */
  name: string;
  /** In bytes; 0 while unknown. */
  size: number;
  /**
   * A chunk is valid until the next one is asked for. Ending the iteration early releases the
   * source.
   */
  chunks: AsyncIterable<Uint8Array>;
}

/** How files are read; Node's worker supplies it (file-source.ts). */
export type OpenPath = (path: string, signal: AbortSignal) => Promise<OpenedSource>;

/**
 * All bytes of a source that is small: an image, a wasm file. Fails with the code `tooLarge` where
 * there are more than `limit`. Each byte is copied once where the source's size is known.
 */
export async function readWhole(
  opened: OpenedSource,
  limit: number,
  tooLarge: ErrorCode,
): Promise<Uint8Array<ArrayBuffer>> {
  let whole = new Uint8Array(Math.min(opened.size, limit));
  let size = 0;
  for await (const chunk of opened.chunks) {
    const end = size + chunk.length;
    const expected = Math.max(end, opened.size);
    if (expected > limit)
      throw new TinyVLMError(
        tooLarge,
        `${opened.name} is too large: wanted at most ${limit} bytes, found ${expected}`,
      );
    if (end > whole.length) {
      const grown = new Uint8Array(Math.max(end, 2 * whole.length));
      grown.set(whole.subarray(0, size));
      whole = grown;
    }
    whole.set(chunk, size);
    size = end;
  }
  return size === whole.length ? whole : whole.slice(0, size);
}

/**
 * The chunks of a stream. `failed` makes the error of a stream that breaks, from the reason and the
 * number of bytes received before.
 */
export async function* streamChunks(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  failed: (reason: unknown, received: number) => TinyVLMError,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  let received = 0;
  try {
    for (;;) {
      let result: ReadableStreamReadResult<Uint8Array>;
      try {
        result = await reader.read();
      } catch (reason) {
        if (signal.aborted) throw abortedError("reading", signal);
        throw failed(reason, received);
      }
      if (signal.aborted) throw abortedError("reading", signal);
      if (result.done) return;
      received += result.value.length;
      yield result.value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/** The parts, one behind the other, in an array of `length` bytes; the rest of it is zeros. */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
