// TinyVLM in a page (or in a worker of the caller's own).

import type * as Storage from "../loader/open-store.js";
import { PixelReader } from "../image/read-pixels.js";
import { webEndpoint } from "../protocol/endpoint.js";
import { describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, WireImage } from "../protocol/messages.js";
import { bundledUrl, demoModelFile, withAssets, withDemoHint } from "./assets.js";
import { LoadedModel } from "./client.js";
import { ModelCache, type CachePlatform } from "./model-cache.js";
import { inspect } from "./inspect.js";
import { open } from "./open.js";
import {
  defaultHubUrl,
  threadsFor,
  type Platform,
  type SpawnedWorker,
  type WorkerKind,
} from "./platform.js";
import { keysOf, tagOf } from "./sources.js";
import type { LoadOptions, ModelInspection, ModelSource } from "./types.js";

/** A vision-language model in a Web Worker of this page. `await TinyVLM.load()`, then `ask`. */
export class TinyVLM extends LoadedModel {
  /**
   * Loads the model at `source`; without one, the demo model that comes with the package, from
   * beside the script (bundlers copy it where `tiny-vlm/demo-model` is imported). Rejects with a TinyVLMError: `invalid_argument`, `invalid_file`, `unsupported`, `out_of_memory`, `io`,
   * `network`, `http`, `worker` or `aborted`.
   */
  static async load(source?: ModelSource, options?: LoadOptions): Promise<TinyVLM> {
    const platform = withAssets(browser, options);
    if (platform !== browser) storage = () => platform.storage();
    return new TinyVLM(
      await open(platform, source, options).catch((reason: unknown) => {
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
    return inspect(browser, TinyVLM.cache, source, options);
  }

  /** The models that are kept on this device for pages of this origin. */
  static readonly cache = new ModelCache({
    folder: () => undefined,
    openStore: async () => (await storageModule()).openBrowserStore(),
    keysOf: (source) => keysOf(source, browser),
    async freeBytes() {
      const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
      return quota === undefined ? undefined : Math.max(0, quota - (usage ?? 0));
    },
    isPersisted: async () => (await navigator.storage?.persisted?.()) ?? false,
    persist: async () => (await navigator.storage?.persist?.()) ?? false,
  } satisfies CachePlatform);
}

// Where the module is that looks at what is kept: that of the last load with `assetsUrl`.
let storage = () => browser.storage();

// A file of its own, because few pages look at what is kept.
async function storageModule(): Promise<typeof Storage> {
  const url = storage();
  try {
    return (await import(url)) as typeof Storage;
  } catch (cause) {
    const message = `wanted a module at ${url}: ${describeReason(cause)}; ${missingFileHint}`;
    throw new TinyVLMError("network", message, { cause, url });
  }
}

// Each URL is written out in full, because bundlers look for exactly this form.
const ownWorkers: Record<WorkerKind, () => Worker> = {
  single: () => new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" }),
  threaded: () => new Worker(new URL("./worker-mt.mjs", import.meta.url), { type: "module" }),
};
const ownFiles: Record<string, () => URL> = {
  "wasm/tiny-vlm-relaxed-mt.wasm": () =>
    new URL("./wasm/tiny-vlm-relaxed-mt.wasm?no-inline", import.meta.url),
  "wasm/tiny-vlm-simd-mt.wasm": () =>
    new URL("./wasm/tiny-vlm-simd-mt.wasm?no-inline", import.meta.url),
  "wasm/tiny-vlm-relaxed.wasm": () =>
    new URL("./wasm/tiny-vlm-relaxed.wasm?no-inline", import.meta.url),
  "wasm/tiny-vlm-simd.wasm": () => new URL("./wasm/tiny-vlm-simd.wasm?no-inline", import.meta.url),
  "wasm/tiny-vlm-scalar.wasm": () =>
    new URL("./wasm/tiny-vlm-scalar.wasm?no-inline", import.meta.url),
  "storage.mjs": () => new URL("./storage.mjs?no-inline", import.meta.url),
  "convert/checkpoint.mjs": () => new URL("./convert/checkpoint.mjs?no-inline", import.meta.url),
  "convert/tiny-vlm-convert.mjs": () =>
    new URL("./convert/tiny-vlm-convert.mjs?no-inline", import.meta.url),
  "convert/tiny-vlm-convert.wasm": () =>
    new URL("./convert/tiny-vlm-convert.wasm?no-inline", import.meta.url),
  // In another form, because bundlers would copy the demo model for everybody.
  [demoModelFile]: () => new URL(`../${demoModelFile}`, browser.file("wasm/tiny-vlm-simd.wasm")),
};

/**
 * The address from which `start` makes a worker, without making it. A second `new URL(…)` for the
 * same file would make bundlers copy it twice, so the constructor is exchanged for this one call.
 */
function addressOf(start: () => unknown): string {
  const { Worker } = globalThis;
  let address = "";
  function Recorder(url: string | URL) {
    address = String(url);
  }
  try {
    globalThis.Worker = Recorder as unknown as typeof Worker;
    start();
  } finally {
    globalThis.Worker = Worker;
  }
  return address;
}

const noWorkers =
  "this context has no Web Workers: load the model in a page or a dedicated worker (in an " +
  "extension, in an offscreen document: docs/toolchains.md has an example)";

const missingFileHint =
  "a bundler that copies no files needs `npx tiny-vlm copy-assets <folder>` and the option " +
  'assetsUrl, Vite\'s dev server optimizeDeps: { exclude: ["tiny-vlm"] }';

const wantedScript =
  "a URL that answers with JavaScript, allowed by the page's content security policy and, in a " +
  `cross-origin isolated page, sent with the Cross-Origin-Embedder-Policy header; ${missingFileHint}`;

const wantedBlob =
  "worker-src blob: in the page's content security policy, because this script is of another " +
  "origin than the page";

const pageBase = () => globalThis.document?.baseURI ?? globalThis.location?.href;

const browser: Platform = {
  workerFiles: { single: "worker.mjs", threaded: "worker-mt.mjs" },
  reasonAgainstThreads: () =>
    globalThis.crossOriginIsolated
      ? undefined
      : globalThis.isSecureContext
        ? "threads need a cross-origin isolated page (Cross-Origin-Opener-Policy: same-origin, " +
          "Cross-Origin-Embedder-Policy: require-corp)"
        : "threads need a secure page (https, or http on localhost): browsers ignore COOP and " +
          "COEP elsewhere",
  defaultThreads: () => threadsFor(navigator.hardwareConcurrency || 1),

  async spawn(kind, url, signal) {
    if (typeof Worker !== "function") throw new TinyVLMError("worker", noWorkers);
    let script = url ?? browser.workerFiles[kind];
    try {
      if (url === undefined) script = absolute(addressOf(ownWorkers[kind]));
      const worker = url === undefined ? ownWorkers[kind]() : new Worker(url, { type: "module" });
      return { endpoint: webEndpoint(worker, script, wantedScript), script: undefined };
    } catch (reason) {
      return spawnFromText(script, signal, reason);
    }
  },

  file: (name) => bundledUrl(name, ownFiles[name]!),
  demoModel() {
    return this.named(this.file(demoModelFile));
  },
  missingFileHint,
  hubUrl: () => defaultHubUrl,
  absoluteUrl: absolute,
  blobOf: (content) => ("size" in content ? content : new Blob([content])),
  folder(source) {
    const url = absolute(source);
    return /^https?:[^?#]*\/$/.test(url) ? { kind: "folder", url } : undefined;
  },
  storage() {
    return this.file("storage.mjs");
  },
  converter() {
    return {
      loader: this.file("convert/checkpoint.mjs"),
      script: this.file("convert/tiny-vlm-convert.mjs"),
      wasm: this.file("convert/tiny-vlm-convert.wasm"),
    };
  },
  named: (source) => ({ kind: "url", url: absolute(source) }),

  pageImage(image, exact) {
    const tag = tagOf(image);
    if (!drawable.has(tag)) return undefined;
    const element = image as CanvasImageSource;
    // The exact mode decodes the file itself; of these elements only an <img> has one.
    if (exact && tag === "HTMLImageElement")
      return Promise.resolve({
        kind: "encoded",
        source: { kind: "url", url: absolute((element as HTMLImageElement).currentSrc) },
      });
    return drawnImage(element, tag);
  },

  // iOS 15 has no OffscreenCanvas: there the page decodes what elsewhere the worker decodes.
  decodeForWorker: (source) =>
    workersDraw() || typeof document !== "object" ? undefined : decodeOnPage(source),
};

const drawable = new Set([
  "ImageBitmap",
  "HTMLImageElement",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "HTMLVideoElement",
  "VideoFrame",
]);

const workersDraw = () => typeof OffscreenCanvas === "function";

function absolute(url: string | URL): string {
  try {
    return new URL(url, pageBase()).href;
  } catch (cause) {
    throw new TinyVLMError("invalid_argument", `wanted a URL, found ${String(url)}`, {
      cause,
    });
  }
}

/**
 * Starts a worker from the text of the script at `url`, in a Blob: browsers refuse to start one
 * from a script of another origin. `cause` is that refusal.
 */
async function spawnFromText(
  url: string,
  signal: AbortSignal | undefined,
  cause: unknown,
): Promise<SpawnedWorker> {
  let text: string;
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    text = await response.text();
  } catch (reason) {
    throw new TinyVLMError(
      "worker",
      `the worker could not be started from ${url}: ${describeReason(cause)}; ` +
        `nor could its text be read: ${describeReason(reason)}; ${missingFileHint}`,
      { cause, url },
    );
  }
  const script = new Blob([text], { type: "text/javascript" });
  const blobUrl = URL.createObjectURL(script);
  try {
    const worker = new Worker(blobUrl, { type: "module" });
    return { endpoint: webEndpoint(worker, url, wantedBlob), script };
  } catch (reason) {
    throw new TinyVLMError(
      "worker",
      `the worker could not be started from ${url} (wanted: ${wantedBlob}): ` +
        describeReason(reason),
      { cause: reason, url },
    );
  }
}

async function drawnImage(element: CanvasImageSource, tag: string): Promise<WireImage> {
  try {
    if (tag === "HTMLImageElement") await (element as HTMLImageElement).decode();
    if (!workersDraw()) return canvasPixels(element, ...sizeOf(element));
    // A copy for the worker: the caller's bitmap or frame stays usable.
    return {
      kind: "bitmap",
      bitmap: await createImageBitmap(element, { premultiplyAlpha: "none" }),
    };
  } catch (reason) {
    if (reason instanceof TinyVLMError) throw reason;
    throw new TinyVLMError(
      "invalid_image",
      `there is no image to read in this ${tag}: ${describeReason(reason)}`,
      { cause: reason },
    );
  }
}

async function decodeOnPage(source: ByteSource): Promise<WireImage> {
  const blobUrl = source.kind === "blob" ? URL.createObjectURL(source.blob) : undefined;
  const element = new Image();
  element.crossOrigin = "anonymous";
  element.src = blobUrl ?? (source.kind === "url" ? source.url : "");
  try {
    return await drawnImage(element, "HTMLImageElement");
  } finally {
    if (blobUrl) URL.revokeObjectURL(blobUrl);
  }
}

function canvasPixels(element: CanvasImageSource, width: number, height: number): WireImage {
  const data = new Uint8Array(width * height * 4);
  const reader = new PixelReader(element, width, height, (canvasWidth, canvasHeight) => {
    const canvas = Object.assign(document.createElement("canvas"), {
      width: canvasWidth,
      height: canvasHeight,
    });
    return canvas.getContext("2d", { willReadFrequently: true });
  });
  reader.read(0, data);
  return { kind: "pixels", format: "rgba", width, height, data };
}

function sizeOf(element: CanvasImageSource): [number, number] {
  if ("naturalWidth" in element) return [element.naturalWidth, element.naturalHeight];
  if ("videoWidth" in element) return [element.videoWidth, element.videoHeight];
  if ("displayWidth" in element) return [element.displayWidth, element.displayHeight];
  return [Number(element.width), Number(element.height)];
}
