// A folder of Node's file system as a FileSystem.

import { readSync } from "node:fs";
import type * as FsPromises from "node:fs/promises";
import type { FileSystem, OpenFile } from "./folder-store.js";

type Fs = Pick<
  typeof FsPromises,
  "mkdir" | "open" | "readFile" | "readdir" | "rename" | "rm" | "stat" | "unlink" | "utimes"
>;

// A lock is a file with the process number of its owner, who touches it this often.
const touchEveryMs = 2000;
// The lock of somebody who was not heard of for so long is nobody's: his process was stopped or is
// on another machine that shares the folder.
const forgottenAfterMs = 30_000;

/** The folder in which Node programs keep model files: `TINYVLM_CACHE`, or the system's own. */
export function cacheFolder(
  environment: NodeJS.ProcessEnv,
  platform: string,
  home: string,
): string {
  const { TINYVLM_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (TINYVLM_CACHE) return TINYVLM_CACHE;
  if (XDG_CACHE_HOME) return `${XDG_CACHE_HOME}/tiny-vlm`;
  if (platform === "win32" && LOCALAPPDATA) return `${LOCALAPPDATA}/tiny-vlm/cache`;
  return platform === "darwin" ? `${home}/Library/Caches/tiny-vlm` : `${home}/.cache/tiny-vlm`;
}

/** The file system below `path`, which is made where it is missing. */
export async function openNodeFolder(fs: Fs, path: string): Promise<FileSystem> {
  await fs.mkdir(path, { recursive: true });
  const at = (...names: string[]) => [path, ...names].join("/");

  // Fails where there is one. One that does not say whose it is, as on a full disk, is not left
  // behind.
  async function makeLock(lock: string): Promise<void> {
    const file = await fs.open(lock, "wx");
    try {
      try {
        await file.writeFile(String(process.pid));
      } finally {
        await file.close();
      }
    } catch (reason) {
      await fs.unlink(lock).catch(() => {});
      throw reason;
    }
  }

  // Whether the owner of the lock is gone.
  async function isForgotten(lock: string): Promise<boolean> {
    try {
      const [text, { mtimeMs }] = await Promise.all([fs.readFile(lock, "utf8"), fs.stat(lock)]);
      return Date.now() - mtimeMs > forgottenAfterMs || !isRunning(Number(text));
    } catch {
      return false; // it was released just now
    }
  }

  return {
    kind: `the folder ${path}`,

    async lock(folder) {
      const lock = at(`${folder}.lock`);
      for (;;) {
        try {
          await makeLock(lock);
          break;
        } catch (reason) {
          if ((reason as NodeJS.ErrnoException).code !== "EEXIST") throw reason;
        }
        if (await isForgotten(lock)) {
          // Of several who see it only one can rename it.
          const aside = `${lock}.${process.pid}.${Math.random().toString(36).slice(2)}`;
          await fs.rename(lock, aside).then(
            () => fs.unlink(aside),
            () => {},
          );
          continue;
        }
        return undefined;
      }
      const timer = setInterval(() => {
        const now = new Date();
        fs.utimes(lock, now, now).catch(() => {});
      }, touchEveryMs);
      timer.unref();
      return async () => {
        clearInterval(timer);
        await fs.unlink(lock).catch(() => {});
      };
    },

    async folders() {
      const entries = await fs.readdir(path, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    },

    async open(folder, file) {
      await fs.mkdir(at(folder), { recursive: true });
      const handle = await fs
        .open(at(folder, file), "r+")
        .catch(() => fs.open(at(folder, file), "w+"));
      return openFile(handle);
    },

    async openForReading(folder, file) {
      return openFile(await fs.open(at(folder, file), "r"));
    },

    async readFile(folder, file) {
      try {
        return await fs.readFile(at(folder, file));
      } catch (reason) {
        if ((reason as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw reason;
      }
    },

    remove: (folder) => fs.rm(at(folder), { recursive: true, force: true }),
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (reason) {
    return (reason as NodeJS.ErrnoException).code === "EPERM";
  }
}

function openFile(file: FsPromises.FileHandle): OpenFile {
  return {
    // At once, so that the engine's memory, which may move, can be the target.
    read(target, at) {
      let filled = 0;
      while (filled < target.length) {
        const bytesRead = readSync(file.fd, target, filled, target.length - filled, at + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    async write(bytes, at) {
      for (let done = 0; done < bytes.length;)
        done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    },
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  };
}
