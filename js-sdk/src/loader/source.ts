// A ByteSource opened: its size and its bytes, chunk by chunk as they arrive. Nothing here knows
// what the bytes mean, except that a web page is never what was asked for.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource } from "../protocol/messages.js";
import { openUrl } from "./fetch-source.js";

export interface OpenedSource {
  /** For messages: an address, a path or "the given bytes". */
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
 * Opens `source` without reading it. Errors: `not_found` and `io` for files and blobs, `http` and
 * `network` for addresses, `invalid_file` where a web page answers, `aborted` once `signal` fires.
 */
export async function openSource(
  source: ByteSource,
  signal: AbortSignal,
  openPath?: OpenPath,
): Promise<OpenedSource> {
  if (signal.aborted) throw abortedError("reading", signal);
  switch (source.kind) {
    case "url":
      return openUrl(source.url, signal);
    case "blob": {
      const { blob, name } = source;
      return {
        name,
        size: blob.size,
        chunks: streamChunks(blob.stream() as ReadableStream<Uint8Array>, signal, (reason) => {
          return new TinyVLMError("io", `${name} could not be read: ${describeReason(reason)}`, {
            cause: reason,
          });
        }),
      };
    }
    case "stream": {
      const { stream, size, name } = source;
      return {
        name,
        size,
        chunks: streamChunks(stream, signal, (reason, received) => {
          return new TinyVLMError(
            "network",
            `${name} broke off after ${received} bytes: ${describeReason(reason)}`,
            { cause: reason },
          );
        }),
      };
    }
    case "path":
      if (!openPath)
        throw new TinyVLMError(
          "unsupported",
          `a file path can only be read in Node: ${source.path}`,
        );
      return openPath(source.path, signal);
  }
}

/** All bytes of a source, for things that are small (an image). `limit` bytes at most. */
export async function readWhole(
  opened: OpenedSource,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of opened.chunks) {
    size += chunk.length;
    if (size > limit)
      throw new TinyVLMError(
        "invalid_image",
        `${opened.name} is larger than ${limit} bytes, too large for an image`,
      );
    chunks.push(chunk.slice());
  }
  const whole = new Uint8Array(size);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

/** The chunks of a stream. `failed` words the error of a stream that breaks after so many bytes. */
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
