// The platform of a worker thread of Node.

import * as fs from "node:fs/promises";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { readWhole } from "../loader/chunks.js";
import { pathOpener } from "../loader/file-source.js";
import { FolderStore } from "../loader/folder-store.js";
import { folderOpener } from "../loader/checkpoint-folder.js";
import { nodeFetch } from "../loader/node-fetch.js";
import { cacheFolder, openNodeFolder } from "../loader/node-folder.js";
import { openSource } from "../loader/source.js";
import { nodeWorkerPort } from "../protocol/endpoint-node.js";
import { compileBytes, compileUrl } from "../runtime/module.js";
import type { WorkerPlatform } from "./platform.js";
import { decodeWithSharp } from "./sharp.js";

const wasmLimit = 64 << 20;

/** Whether Emscripten started this worker as a pool thread from this script. */
export const isPoolThread = (): boolean => workerData === "em-pthread";

/** The platform of this worker. */
export function nodePlatform(): WorkerPlatform {
  const openPath = pathOpener(fs);
  return {
    inNode: true,
    port: nodeWorkerPort(parentPort!),
    script: fileURLToPath(import.meta.url),
    async compile(url) {
      if (!url.startsWith("file:")) return compileUrl(url);
      const path = fileURLToPath(url);
      const file = await openSource({ kind: "path", path }, new AbortController().signal, openPath);
      return compileBytes(await readWhole(file, wasmLimit, "invalid_file"), path);
    },
    openPath,
    openFolder: folderOpener(fs),
    openStore: async (maxBytes) => {
      const folder = cacheFolder(process.env, process.platform, homedir());
      return new FolderStore(await openNodeFolder(fs, folder), maxBytes);
    },
    fetch: nodeFetch,
    decodeImage: decodeWithSharp,
    yieldToMessages: () => new Promise((resolve) => setImmediate(resolve)),
  };
}
