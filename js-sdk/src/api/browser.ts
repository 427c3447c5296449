// TinyVLM in a page (or in a worker of the caller's own).

import type * as Storage from "../loader/open-store.js";
import type * as PageParts from "../page-parts.js";
import { webEndpoint } from "../protocol/endpoint.js";
import { describeReason, TinyVLMError } from "../protocol/errors.js";
import type { WireImage } from "../protocol/messages.js";
import { trustedScript } from "../protocol/trusted-script.js";
import { bundledUrl, demoModelFile, withAssets, withDemoHint } from "./assets.js";
import { LoadedModel } from "./client.js";
import { ModelCache, type CachePlatform } from "./model-cache.js";
import { inspect } from "./inspect.js";
import { open } from "./open.js";
import { defaultThreads, reasonAgainstThreads, reasonAgainstWorkers } from "./page.js";
import { defaultHubUrl, type Platform, type WorkerKind } from "./platform.js";
import { keysOf, tagOf } from "./sources.js";
import type { LoadOptions, ModelInspection, ModelSource } from "./types.js";

/** A vision-language model in a Web Worker of this page. `await TinyVLM.load()`, then `ask`. */
export class TinyVLM extends LoadedModel {
  /**
   * Loads the model at `source`; without one, the demo model that comes with the package, from
   * beside the script (bundlers copy it where `tiny-vlm/demo-model` is imported). Rejects with a
   * TinyVLMError: `invalid_argument`, `invalid_file`, `unsupported`, `out_of_memory`, `io`,
   * `network`, `http`, `worker` or `aborted`.
   */
  static async load(source?: ModelSource, options?: LoadOptions): Promise<TinyVLM> {
    return new TinyVLM(
      await open(platformOf(options), source, options).catch((reason: unknown) => {
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
    return inspect(platformOf(options), TinyVLM.cache, source, options);
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

function platformOf(options: LoadOptions | undefined): Platform {
  const platform = withAssets(browser, options);
  if (platform !== browser) storage = () => platform.storage();
  return platform;
}

// Files of their own, because few pages need them.
const storageModule = () => importFile<typeof Storage>(storage());
const pageParts = (platform: Platform) =>
  importFile<typeof PageParts>(platform.file("page-parts.mjs"));

async function importFile<Module>(url: string): Promise<Module> {
  try {
    return (await import(url)) as Module;
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
  "page-parts.mjs": () => new URL("./page-parts.mjs?no-inline", import.meta.url),
  "convert/checkpoint.mjs": () => new URL("./convert/checkpoint.mjs?no-inline", import.meta.url),
  "convert/tiny-vlm-convert.mjs": () =>
    new URL("./convert/tiny-vlm-convert.mjs?no-inline", import.meta.url),
  "convert/tiny-vlm-convert.wasm": () =>
    new URL("./convert/tiny-vlm-convert.wasm?no-inline", import.meta.url),
  // In another form, because bundlers would copy the demo model for everybody.
  [demoModelFile]: () => new URL(`../${demoModelFile}`, browser.file("wasm/tiny-vlm-simd.wasm")),
};

/**
 * The worker that `start` makes; `tell` is called with its address before that. A second
 * `new URL(…)` for the same file would make bundlers copy it twice, so the constructor is exchanged
 * for this one call.
 */
function startOwn(start: () => Worker, tell: (address: string) => void): Worker {
  const { Worker } = globalThis;
  function Started(url: string | URL, options: WorkerOptions) {
    tell(absolute(url));
    return new Worker(trustedScript(String(url)), options);
  }
  try {
    globalThis.Worker = Started as unknown as typeof Worker;
    return start();
  } finally {
    globalThis.Worker = Worker;
  }
}

// Some browsers throw at once, others tell only by an event that the file could not be loaded.
function refuseOtherOrigin(script: string): void {
  if (/^http/.test(script) && new URL(script).origin !== globalThis.origin)
    throw new Error("another origin");
}

const missingFileHint =
  "a bundler that copies no files needs `npx tiny-vlm copy-assets <folder>` and the option " +
  'assetsUrl, Vite\'s dev server optimizeDeps: { exclude: ["tiny-vlm"] }';

const wantedScript =
  "a URL that answers with JavaScript, allowed by the page's content security policy and, in a " +
  `cross-origin isolated page, sent with the Cross-Origin-Embedder-Policy header; ${missingFileHint}`;

const pageBase = () => globalThis.document?.baseURI ?? globalThis.location?.href;

const browser: Platform = {
  workerFiles: { single: "worker.mjs", threaded: "worker-mt.mjs" },
  reasonAgainstThreads,
  defaultThreads,

  async spawn(kind, url, signal) {
    const against = reasonAgainstWorkers();
    if (against) throw new TinyVLMError("worker", against);
    let script = url ?? browser.workerFiles[kind];
    try {
      const tell = (address: string) => refuseOtherOrigin((script = address));
      if (url !== undefined) refuseOtherOrigin(url);
      const worker =
        url === undefined
          ? startOwn(ownWorkers[kind], tell)
          : new Worker(trustedScript(url), { type: "module" });
      return { endpoint: webEndpoint(worker, script, wantedScript), script: undefined };
    } catch (reason) {
      const parts = await pageParts(this);
      return parts.spawnFromText(script, signal, reason, trustedScript, missingFileHint);
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
    if (tag === "HTMLImageElement") return imageElement(image as HTMLImageElement, exact, this);
    return drawable.has(tag) ? snapshot(image as CanvasImageSource, tag, this) : undefined;
  },

  async drawFile(file, svg, side) {
    return (await pageParts(this)).drawFile(file, svg, side);
  },
};

const drawable = new Set([
  "ImageBitmap",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "HTMLVideoElement",
  "VideoFrame",
]);

function absolute(url: string | URL): string {
  try {
    return new URL(url, pageBase()).href;
  } catch (cause) {
    throw new TinyVLMError("invalid_argument", `wanted a URL, found ${String(url)}`, {
      cause,
    });
  }
}

async function imageElement(
  element: HTMLImageElement,
  exact: boolean,
  platform: Platform,
): Promise<WireImage | string> {
  const { complete, naturalWidth, currentSrc, src } = element;
  const address = currentSrc || src;
  // Where the element has no pixels yet (loading="lazy", a slow server), and where the engine is to
  // decode the file, the worker loads it.
  if (complete && !exact)
    try {
      if (naturalWidth > 0) return await snapshot(element, "HTMLImageElement", platform);
      await element.decode();
    } catch (reason) {
      // An SVG image without a size of its own has none; the worker finds out.
      if (naturalWidth === 0 || !address) throw unreadable("HTMLImageElement", reason);
    }
  if (!address) throw unreadable("HTMLImageElement", "it has no address");
  return absolute(address);
}

// A copy, taken at once: the caller's bitmap or frame stays usable.
async function snapshot(
  element: CanvasImageSource,
  tag: string,
  platform: Platform,
): Promise<WireImage> {
  try {
    const bitmap = await createImageBitmap(element, { premultiplyAlpha: "none" });
    // Firefox gives a bitmap of 300 x 150, with bars, of an SVG image without a size of its own.
    const { width, height } = bitmap;
    const { naturalWidth = width, naturalHeight = height } = element as Partial<HTMLImageElement>;
    if (Math.abs(width * naturalHeight - height * naturalWidth) > width + height)
      throw new Error("its shape is wrong");
    // iOS 15 has no OffscreenCanvas: there the page reads what elsewhere the worker reads.
    return typeof OffscreenCanvas === "function"
      ? { kind: "bitmap", bitmap }
      : await (await pageParts(platform)).pixelsOf(bitmap);
  } catch (reason) {
    throw reason instanceof TinyVLMError ? reason : unreadable(tag, reason);
  }
}

function unreadable(tag: string, reason: unknown): TinyVLMError {
  const message = `there is no image to read in this ${tag}: ${describeReason(reason)}`;
  return new TinyVLMError("invalid_image", message, { cause: reason });
}
