// The best place that this machine has to keep model files in.

import { describeReason } from "../protocol/errors.js";
import type { Store } from "./cache.js";
import { openCacheStorage } from "./cache-storage.js";
import { FolderStore } from "./folder-store.js";
import { openOpfs } from "./opfs.js";

/**
 * Opens the browser's file system or, where that is missing, its Cache API. Throws an Error that
 * says why neither can be used.
 */
export async function openBrowserStore(maxBytes?: number): Promise<Store> {
  if (!globalThis.isSecureContext)
    throw new Error("browsers keep files for secure pages only (https, or http on localhost)");
  let reason: unknown = "this browser has neither a file system nor a Cache API";
  // Workers write files by synchronous handles; pages only list and delete.
  const writes =
    typeof document === "object" ||
    (typeof FileSystemFileHandle === "function" &&
      "createSyncAccessHandle" in FileSystemFileHandle.prototype);
  if (writes && typeof navigator.storage?.getDirectory === "function") {
    try {
      return new FolderStore(await openOpfs(), maxBytes);
    } catch (failed) {
      reason = failed;
    }
  }
  if (typeof caches === "object") {
    try {
      return await openCacheStorage();
    } catch (failed) {
      reason = failed;
    }
  }
  throw new Error(describeReason(reason));
}
