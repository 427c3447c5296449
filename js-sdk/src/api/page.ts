// What a page can do, and why not.

import { threadsFor } from "./platform.js";

/** Why no worker can be started here, or undefined where one can. */
export const reasonAgainstWorkers = (): string | undefined =>
  typeof Worker === "function"
    ? undefined
    : "this context has no Web Workers: load the model in a page or a dedicated worker (in an " +
      "extension, in an offscreen document: docs/toolchains.md has an example)";

/** Why several threads cannot be used here, or undefined where they can. */
export const reasonAgainstThreads = (): string | undefined =>
  globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function"
    ? undefined
    : globalThis.isSecureContext
      ? "threads need SharedArrayBuffer, on a cross-origin isolated page " +
        "(Cross-Origin-Opener-Policy: same-origin, Cross-Origin-Embedder-Policy: require-corp)"
      : "threads need a secure page (https, or http on localhost): browsers ignore COOP and " +
        "COEP elsewhere";

/** How many threads to use where the caller does not say. */
export const defaultThreads = (): number => threadsFor(navigator.hardwareConcurrency || 1);
