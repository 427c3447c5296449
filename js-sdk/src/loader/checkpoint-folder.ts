// A checkpoint in a folder of Node's file system.

import type * as FsPromises from "node:fs/promises";
import { TinyVLMError } from "../protocol/errors.js";
import { fingerprint, type OpenFolder } from "./checkpoint-files.js";

/** Makes an OpenFolder of Node's file system module. */
export function folderOpener(fs: Pick<typeof FsPromises, "open" | "readdir" | "stat">): OpenFolder {
  return async (path) => {
    const entries = await fs.readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    const files = await Promise.all(
      names.sort().map(async (name) => {
        const { size, mtimeMs } = await fs.stat(`${path}/${name}`);
        return { name, bytes: size, mtimeMs };
      }),
    );
    const versions = files.map(({ name, bytes, mtimeMs }) => `${name} ${bytes} ${mtimeMs}`);
    return {
      name: path,
      version: await fingerprint(versions),
      files: files.map(({ name, bytes }) => ({ name, bytes })),
      async read(name, offset, target) {
        const file = await fs.open(`${path}/${name}`, "r");
        try {
          return await readAt(file, target, offset);
        } catch (cause) {
          throw new TinyVLMError(
            "io",
            `${path}/${name} could not be read: ${(cause as Error).message}`,
            { cause },
          );
        } finally {
          await file.close();
        }
      },
    };
  };
}

/** Fills `target` from byte `at` of the file on; returns how many bytes there were. */
async function readAt(
  file: FsPromises.FileHandle,
  target: Uint8Array,
  at: number,
): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await file.read(target, filled, target.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
