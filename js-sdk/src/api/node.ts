// TinyVLM in Node: the same worker scripts, run by worker_threads.

import { Blob as NodeBlob } from "node:buffer";
import { existsSync, statSync } from "node:fs";
import * as fs from "node:fs/promises";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { FolderStore } from "../loader/folder-store.js";
import { cacheFolder, openNodeFolder } from "../loader/node-folder.js";
import { nodeEndpoint } from "../protocol/endpoint-node.js";
import { describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource } from "../protocol/messages.js";
import { bundledUrl, demoModelFile, withAssets, withDemoHint } from "./assets.js";
import { LoadedModel } from "./client.js";
import { ModelCache, type CachePlatform } from "./model-cache.js";
import { inspect } from "./inspect.js";
import { open } from "./open.js";
import { keysOf } from "./sources.js";
import { usableProcessors } from "./processors.js";
import { defaultHubUrl, threadsFor, type Platform, type WorkerKind } from "./platform.js";
import type { LoadOptions, ModelInspection, ModelSource } from "./types.js";

/**
 * A vision-language model in a worker thread of this process. `await TinyVLM.load()`, then `ask`.
 * An idle model does not keep the process alive.
 */
export class TinyVLM extends LoadedModel {
  /**
   * Loads the model at `source`; without one, the demo model that comes with the package. Rejects
   * with a TinyVLMError: `invalid_argument`, `not_found`, `invalid_file`, `unsupported`,
   * `out_of_memory`, `io`, `network`, `http`, `worker` or `aborted`.
   */
  static async load(source?: ModelSource, options?: LoadOptions): Promise<TinyVLM> {
    return new TinyVLM(
      await open(withAssets(node, options), source, options).catch((reason: unknown) => {
        throw withDemoHint(reason);
      }),
    );
  }

  /**
   * Reads the header of a model file, and says what is in it and what loading it with these options
   * would take. Nothing is kept. Rejects as `load` does: with `out_of_memory` where it cannot be
   * loaded here.
   */
  static inspect(source?: ModelSource, options?: LoadOptions): Promise<ModelInspection> {
    return inspect(withAssets(node, options), TinyVLM.cache, source, options);
  }

  /**
   * The models that are kept on this device: in the folder `TINYVLM_CACHE`, or else in
   * `tiny-vlm` of the user's cache folder (`XDG_CACHE_HOME` where that is set).
   */
  static readonly cache = new ModelCache({
    folder: ownCacheFolder,
    openStore: async () => new FolderStore(await openNodeFolder(fs, ownCacheFolder())),
    keysOf: (source) => keysOf(source, node),
    async freeBytes() {
      await fs.mkdir(ownCacheFolder(), { recursive: true });
      const { bavail, bsize } = await fs.statfs(ownCacheFolder());
      return bavail * bsize;
    },
    isPersisted: async () => true,
    persist: async () => true,
  } satisfies CachePlatform);
}

function ownCacheFolder(): string {
  return cacheFolder(process.env, process.platform, homedir());
}

// Two letters at least: "C:" is a drive.
const scheme = /^[a-z][a-z0-9+.-]+:/i;

// A Blob of Node's with the content of one that is not. Blobs of jsdom before version 22 have no
// arrayBuffer().
async function nodeBlobOf(blob: Blob): Promise<Blob> {
  try {
    const content = blob.arrayBuffer ? blob.arrayBuffer() : readWithFileReader(blob);
    return new NodeBlob([await content]) as Blob;
  } catch (cause) {
    throw new TinyVLMError("io", `the Blob could not be read: ${describeReason(cause)}`, { cause });
  }
}

function readWithFileReader(blob: Blob): Promise<ArrayBuffer> {
  if (typeof FileReader !== "function")
    throw new Error(
      "it has no arrayBuffer(), and there is no FileReader (set globalThis.FileReader)",
    );
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as ArrayBuffer);
    reader.onerror = () => reject(reader.error ?? new Error("no reason was given"));
    reader.readAsArrayBuffer(blob);
  });
}

const workerFiles: Record<WorkerKind, string> = {
  single: "node-worker.mjs",
  threaded: "node-worker-mt.mjs",
};

// Each URL is written out in full and returned by a function with a body, because tools that collect
// a program's files (@vercel/nft) find exactly this form.
const ownWorkers: Record<WorkerKind, () => URL> = {
  single: () => {
    return new URL("./node-worker.mjs", import.meta.url);
  },
  threaded: () => {
    return new URL("./node-worker-mt.mjs", import.meta.url);
  },
};
const ownFiles: Record<string, () => URL> = {
  "wasm/tiny-vlm-relaxed-mt.wasm": () => {
    return new URL("./wasm/tiny-vlm-relaxed-mt.wasm", import.meta.url);
  },
  "wasm/tiny-vlm-simd-mt.wasm": () => {
    return new URL("./wasm/tiny-vlm-simd-mt.wasm", import.meta.url);
  },
  "wasm/tiny-vlm-relaxed.wasm": () => {
    return new URL("./wasm/tiny-vlm-relaxed.wasm", import.meta.url);
  },
  "wasm/tiny-vlm-simd.wasm": () => {
    return new URL("./wasm/tiny-vlm-simd.wasm", import.meta.url);
  },
  "wasm/tiny-vlm-scalar.wasm": () => {
    return new URL("./wasm/tiny-vlm-scalar.wasm", import.meta.url);
  },
  "convert/checkpoint.mjs": () => {
    return new URL("./convert/checkpoint.mjs", import.meta.url);
  },
  "convert/tiny-vlm-convert.mjs": () => {
    return new URL("./convert/tiny-vlm-convert.mjs", import.meta.url);
  },
  "convert/tiny-vlm-convert.wasm": () => {
    return new URL("./convert/tiny-vlm-convert.wasm", import.meta.url);
  },
  // In another form, because such tools would take the demo model for everybody.
  [demoModelFile]: () => new URL(`../${demoModelFile}`, node.file("wasm/tiny-vlm-simd.wasm")),
};

const missingFileHint =
  "keep tiny-vlm out of the bundle (esbuild --external:tiny-vlm, webpack externals, Next.js " +
  'serverExternalPackages: ["tiny-vlm"]), or let the option assetsUrl name the folder dist of the ' +
  "package";

const node: Platform = {
  workerFiles,
  reasonAgainstThreads: () => undefined,
  defaultThreads: () => threadsFor(usableProcessors()),

  async spawn(kind, url) {
    const address = url ?? bundledUrl(workerFiles[kind], ownWorkers[kind]);
    // Asked first: in some runtimes a worker without a script neither starts nor fails.
    if (!scheme.test(address) || (address.startsWith("file:") && !existsSync(new URL(address))))
      throw new TinyVLMError(
        "worker",
        `there is no worker script at ${address}; ${missingFileHint}`,
        { url: address },
      );
    const script = new URL(address);
    try {
      // Flags of the process (a debugger, a loader) are not meant for the worker.
      return {
        endpoint: nodeEndpoint(new Worker(script, { execArgv: [] }), script.href),
        script: undefined,
      };
    } catch (cause) {
      throw new TinyVLMError(
        "worker",
        `the worker could not be started from ${script.href}: ${(cause as Error).message}`,
        { cause },
      );
    }
  },

  file: (name) => bundledUrl(name, ownFiles[name]!),
  demoModel() {
    return this.named(this.file(demoModelFile));
  },
  missingFileHint,

  hubUrl: () => process.env["HF_ENDPOINT"] || defaultHubUrl,

  absoluteUrl(url) {
    if (url instanceof URL || scheme.test(url)) return new URL(url).href;
    // Some versions of pathToFileURL drop the "/" that marks a folder.
    const { href } = pathToFileURL(url);
    return /[\\/]$/.test(url) && !href.endsWith("/") ? `${href}/` : href;
  },

  blobOf(content) {
    if (!("size" in content)) return new NodeBlob([content]) as Blob;
    return content instanceof NodeBlob ? content : nodeBlobOf(content);
  },

  folder(source) {
    const text = String(source);
    if (/^https?:[^?#]*\/$/.test(text)) return { kind: "folder", url: text };
    const path = text.startsWith("file:")
      ? fileURLToPath(text)
      : scheme.test(text)
        ? undefined
        : resolve(text);
    const isFolder = path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory();
    return isFolder ? { kind: "path", path } : undefined;
  },
  storage: () => "",
  converter() {
    return {
      loader: this.file("convert/checkpoint.mjs"),
      script: this.file("convert/tiny-vlm-convert.mjs"),
      wasm: this.file("convert/tiny-vlm-convert.wasm"),
    };
  },

  named(source): ByteSource {
    if (typeof source === "string" && !scheme.test(source))
      return { kind: "path", path: resolve(source) };
    let url: URL;
    try {
      url = new URL(source);
    } catch (cause) {
      throw new TinyVLMError(
        "invalid_argument",
        `wanted a URL or a path, found ${String(source)}`,
        { cause },
      );
    }
    if (url.protocol === "file:") return { kind: "path", path: fileURLToPath(url) };
    if (url.protocol === "http:" || url.protocol === "https:" || url.protocol === "blob:")
      return { kind: "url", url: url.href };
    throw new TinyVLMError(
      "invalid_argument",
      `wanted a path, or a URL with http:, https:, file: or data:, found ${url.protocol}`,
    );
  },

  pageImage: () => undefined,
  drawFile: () => Promise.reject(new TinyVLMError("internal", "there is no page to draw on")),
};
