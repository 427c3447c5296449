// The browser's file system as the place that model files are kept in.

import type { Store } from "./cache.js";
import { FolderStore } from "./folder-store.js";
import { openOpfs } from "./opfs.js";

/** Opens it; undefined where the browser has none, or cannot write to it from a worker. */
export async function openFileStore(maxBytes?: number): Promise<Store | undefined> {
  // Workers write files by synchronous handles; pages only list and delete.
  const writes =
    typeof document === "object" ||
    (typeof FileSystemFileHandle === "function" &&
      "createSyncAccessHandle" in FileSystemFileHandle.prototype);
  if (!writes || typeof navigator.storage?.getDirectory !== "function") return undefined;
  const files = await openOpfs().catch(() => undefined);
  return files && new FolderStore(files, maxBytes);
}
