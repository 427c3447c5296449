// What differs between a Web Worker and Node's worker_threads on the worker's side.

import { nodeWorkerPort } from "../protocol/endpoint-node.js";
import { webWorkerPort, type WorkerPort } from "../protocol/endpoint.js";
import { pathOpener } from "../loader/file-source.js";
import { readWhole } from "../loader/chunks.js";
import { FolderStore } from "../loader/folder-store.js";
import { openNodeFolder } from "../loader/node-folder.js";
import type { DeliveryPlatform } from "../loader/open-model.js";
import { cacheFolder, openBrowserStore } from "../loader/open-store.js";
import { openSource } from "../loader/source.js";
import { compileBytes, compileUrl } from "../runtime/module.js";

/** What the worker needs of its surroundings. */
export interface WorkerPlatform extends DeliveryPlatform {
  /** Whether this is Node. */
  inNode: boolean;
  /** The connection to the client. */
  port: WorkerPort;
  /** URL (in Node, path) of this script: pool threads are started from it. */
  script: string;
  /** Reads and compiles the wasm file at an absolute URL. */
  compile(url: string): Promise<WebAssembly.Module>;
  /** Lets waiting messages be delivered. Not a timer: browsers delay those by 4 ms and more. */
  yieldToMessages(): Promise<void>;
}

const inNode = typeof process === "object" && process.versions?.node !== undefined;

// scripts/build-sdk.mjs marks these imports, so that bundlers of web apps do not look for Node's
// modules.
const importNode = (name: string) => import(name) as Promise<unknown>;

/**
 * Whether Emscripten started this worker as a pool thread from this script: then it must not answer
 * calls.
 */
export async function isPoolThread(): Promise<boolean> {
  if (!inNode) return (globalThis as { name?: string }).name?.startsWith("em-pthread") ?? false;
  const { workerData } = (await importNode(
    "node:worker_threads",
  )) as typeof import("node:worker_threads");
  return workerData === "em-pthread";
}

/** The platform that this worker runs on. */
export async function workerPlatform(): Promise<WorkerPlatform> {
  return inNode ? nodePlatform() : webPlatform();
}

function webPlatform(): WorkerPlatform {
  return {
    inNode: false,
    port: webWorkerPort(),
    script: globalThis.location.href,
    compile: compileUrl,
    openPath: undefined,
    openStore: openBrowserStore,
    showsRedirects: false,
    yieldToMessages: messageYield(),
  };
}

async function nodePlatform(): Promise<WorkerPlatform> {
  const { parentPort } = (await importNode(
    "node:worker_threads",
  )) as typeof import("node:worker_threads");
  const fs = (await importNode("node:fs/promises")) as typeof import("node:fs/promises");
  const { fileURLToPath } = (await importNode("node:url")) as typeof import("node:url");
  const openPath = pathOpener(fs);
  return {
    inNode: true,
    port: nodeWorkerPort(parentPort!),
    script: fileURLToPath(import.meta.url),
    async compile(url) {
      if (!url.startsWith("file:")) return compileUrl(url);
      const path = fileURLToPath(url);
      return compileBytes(
        await readWhole(
          await openSource({ kind: "path", path }, new AbortController().signal, openPath),
          wasmLimit,
          "invalid_file",
        ),
        path,
      );
    },
    openPath,
    openStore: async (maxBytes) => {
      const { homedir } = (await importNode("node:os")) as typeof import("node:os");
      const folder = cacheFolder(process.env, process.platform, homedir());
      return new FolderStore(await openNodeFolder(fs, folder), maxBytes);
    },
    showsRedirects: true,
    yieldToMessages: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

const wasmLimit = 64 << 20;

function messageYield(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  let resume: () => void;
  port1.onmessage = () => resume();
  return () =>
    new Promise((resolve) => {
      resume = resolve;
      port2.postMessage(undefined);
    });
}
