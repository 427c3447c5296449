// The best place that a browser has to keep model files in. A file of the package of its own
// (storage.mjs): pages load it to look at what is kept, workers where there is no file system.

import type { Store } from "./cache.js";
import { openCacheStorage } from "./cache-storage.js";
import { openFileStore } from "./open-file-store.js";

/**
 * Opens the browser's file system or, where that is missing, its Cache API. Throws an Error that
 * says why neither can be used.
 */
export async function openBrowserStore(maxBytes?: number): Promise<Store> {
  if (!globalThis.isSecureContext)
    throw new Error("browsers keep files for secure pages only (https, or http on localhost)");
  const files = await openFileStore(maxBytes);
  if (files) return files;
  if (typeof caches === "object") return openCacheStorage(maxBytes);
  throw new Error("this browser has neither a file system nor a Cache API");
}
