// What differs between a page and a Node program, as the client sees it.

import type { Endpoint } from "../protocol/endpoint.js";
import type { ByteSource, WireImage } from "../protocol/messages.js";
import type { Variant } from "../protocol/values.js";
import type { ImageInput } from "./types.js";

/** worker.mjs or worker-mt.mjs. */
export type WorkerKind = "single" | "threaded";

export interface SpawnedWorker {
  endpoint: Endpoint;
  /** The script's text where the worker had to be started from a Blob. */
  script: Blob | undefined;
}

export interface Platform {
  /** Why several threads cannot be used here, or undefined where they can. */
  reasonAgainstThreads(): string | undefined;
  defaultThreads(): number;
  /** Starts a worker: the one at `url`, or the package's own. */
  spawn(
    kind: WorkerKind,
    url: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<SpawnedWorker>;
  /** The package's own file. */
  wasmUrl(variant: Variant): string;
  demoModel(): ByteSource;
  /** An absolute address; in Node a path becomes one too. */
  absoluteUrl(url: string | URL): string;
  /** Addresses and paths; all other sources are alike everywhere (sources.ts). */
  named(source: string | URL): ByteSource;
  /**
   * What only a page knows (elements, bitmaps); undefined where `image` is nothing of the kind.
   * Called when `ask` is.
   */
  pageImage(image: ImageInput, exact: boolean): Promise<WireImage> | undefined;
  /** Decodes an encoded image where the worker cannot; undefined where it can. */
  decodeForWorker(source: ByteSource): Promise<WireImage> | undefined;
}

/** The folder's or the file's address: one that ends in "/" is a folder that holds `file`. */
export function within(url: string, file: string): string {
  return url.endsWith("/") ? url + file : url;
}

/**
 * Half of the logical processors, four at least where there are so many: the second half adds heat
 * more than speed.
 */
export function threadsFor(processors: number): number {
  return Math.max(1, Math.min(8, processors <= 4 ? processors : Math.max(4, processors >> 1)));
}
