// Opens a file in Node. All chunks share one buffer.

import type * as FsPromises from "node:fs/promises";
import { abortedError, TinyVLMError } from "../protocol/errors.js";
import type { OpenedSource, OpenPath } from "./chunks.js";

// The size of the chunks of a model file that are hashed, so that hashing works on whole ones.
const chunkBytes = 1 << 20;

/**
 * Makes an OpenPath of Node's file system module. The module is passed in, loaded at run time, so
 * that the same worker file runs in browsers.
 */
export function pathOpener({ open }: Pick<typeof FsPromises, "open">): OpenPath {
  return async (path, signal): Promise<OpenedSource> => {
    let file: FsPromises.FileHandle | undefined;
    try {
      file = await open(path, "r");
      const stat = await file.stat();
      if (!stat.isFile())
        throw new TinyVLMError("io", `wanted a file, found something else: ${path}`);
      return { name: path, size: stat.size, chunks: fileChunks(file, path, signal) };
    } catch (reason) {
      await file?.close();
      throw fileError(reason, path);
    }
  };
}

async function* fileChunks(
  file: FsPromises.FileHandle,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(chunkBytes);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes).catch((reason: unknown) => {
        throw fileError(reason, path);
      });
      if (signal.aborted) throw abortedError("reading", signal);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function fileError(reason: unknown, path: string): TinyVLMError {
  if (reason instanceof TinyVLMError) return reason;
  const { code, message } = reason as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new TinyVLMError("not_found", `no such file: ${path}`, { cause: reason });
  return new TinyVLMError("io", `${path} could not be read: ${message}`, { cause: reason });
}
