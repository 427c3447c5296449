// Opens a ByteSource of any kind. Nothing here knows what the bytes mean.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource } from "../protocol/messages.js";
import { streamChunks, type OpenedSource, type OpenPath } from "./chunks.js";
import { openUrl } from "./fetch-source.js";

/**
 * Opens `source` without reading it. Errors: `not_found` and `io` for files and blobs, `http` and
 * `network` for URLs, `invalid_file` where a web page answers, `aborted` once `signal` fires.
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
