// The browser's own file system (OPFS) as a FileSystem. Files are opened in workers only; the rest
// works in a page, too.

import { TinyVLMError } from "../protocol/errors.js";
import type { FileSystem, OpenFile } from "./folder-store.js";
import { takeWebLock } from "./web-lock.js";

// The folder that holds every entry.
const rootName = "tiny-vlm";

// Where there are no Web Locks (Safari before 15.4), a file that somebody has open says so when it
// is opened; it is tried again after this time.
const openAgainMs = 250;

// What TypeScript's library for pages lacks, because only workers have it.
interface SyncFile {
  read(target: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
type FileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncFile> };
type FolderHandle = FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };

/** Opens the file system. Throws where the browser has none or does not let this page use it. */
export async function openOpfs(): Promise<FileSystem> {
  const root = await navigator.storage.getDirectory();
  const top = (await root.getDirectoryHandle(rootName, { create: true })) as FolderHandle;

  return {
    kind: "the browser's file system",

    lock: (folder) => takeWebLock(`${rootName}/${folder}`),

    async folders() {
      const names: string[] = [];
      for await (const name of top.keys()) names.push(name);
      return names;
    },

    async open(folder, file) {
      const parent = await top.getDirectoryHandle(folder, { create: true });
      const handle = (await parent.getFileHandle(file, { create: true })) as FileHandle;
      return openFile(await openHandle(handle));
    },

    async openForReading(folder, file) {
      const handle = await (await top.getDirectoryHandle(folder)).getFileHandle(file);
      const data = await handle.getFile();
      return {
        async read(target, at) {
          const part = await data.slice(at, at + target.length).arrayBuffer();
          target.set(new Uint8Array(part));
          return part.byteLength;
        },
        async close() {},
      };
    },

    async readFile(folder, file) {
      try {
        const handle = await (await top.getDirectoryHandle(folder)).getFileHandle(file);
        return new Uint8Array(await (await handle.getFile()).arrayBuffer());
      } catch (reason) {
        if ((reason as Error).name === "NotFoundError") return undefined;
        throw reason;
      }
    },

    async remove(folder) {
      await top.removeEntry(folder, { recursive: true }).catch((reason: Error) => {
        if (reason.name !== "NotFoundError") throw reason;
      });
    },
  };
}

async function openHandle(handle: FileHandle): Promise<SyncFile> {
  for (;;) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (reason) {
      if ((reason as Error).name !== "NoModificationAllowedError") throw reason;
      await new Promise((resolve) => setTimeout(resolve, openAgainMs));
    }
  }
}

function openFile(file: SyncFile): OpenFile {
  return {
    read: (target, at) => file.read(target, { at }),
    async write(bytes, at) {
      const written = file.write(bytes, { at });
      if (written !== bytes.length)
        throw new TinyVLMError(
          "io",
          `${bytes.length} bytes were to be stored, the browser took ${written}`,
        );
    },
    truncate: async (size) => file.truncate(size),
    async close() {
      try {
        file.flush();
      } finally {
        file.close();
      }
    },
  };
}
