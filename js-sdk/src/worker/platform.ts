// What differs between a Web Worker and Node's worker_threads, from the inside.

import { nodeWorkerPort } from "../protocol/endpoint-node.js";
import { webWorkerPort, type WorkerPort } from "../protocol/endpoint.js";
import { pathOpener } from "../loader/file-source.js";
import { readWhole, type OpenPath } from "../loader/chunks.js";
import { openSource } from "../loader/source.js";
import { compileBytes, compileUrl } from "../runtime/module.js";

export interface WorkerPlatform {
  inNode: boolean;
  port: WorkerPort;
  /** This very script, as pool threads are started from it. */
  script: string;
  /** Reads and compiles the wasm file at an absolute address. */
  compile(url: string): Promise<WebAssembly.Module>;
  openPath: OpenPath | undefined;
  /** Lets waiting messages in. Not a timer: browsers clamp those to 4 ms and more. */
  yieldToMessages(): Promise<void>;
}

const inNode = typeof process === "object" && process.versions?.node !== undefined;

// scripts/build-sdk.mjs keeps other bundlers from looking for Node's modules where they build for
// browsers.
const importNode = (name: string) => import(name) as Promise<unknown>;

/**
 * True in a worker that Emscripten started as a pool thread from this script: it must not answer
 * calls.
 */
export async function isPoolThread(): Promise<boolean> {
  if (!inNode) return (globalThis as { name?: string }).name?.startsWith("em-pthread") ?? false;
  const { workerData } = (await importNode(
    "node:worker_threads",
  )) as typeof import("node:worker_threads");
  return workerData === "em-pthread";
}

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
