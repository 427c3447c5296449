// What differs between a page and a Node program on the client's side.

import type { Endpoint } from "../protocol/endpoint.js";
import type {
  ByteSource,
  CheckpointSource,
  ConverterUrls,
  WireImage,
} from "../protocol/messages.js";
import type { ImageInput } from "./types.js";

/** The worker of the builds without threads, or of those with. */
export type WorkerKind = "single" | "threaded";

/** A worker that was started; whether its script loads is not known yet. */
export interface SpawnedWorker {
  endpoint: Endpoint;
  /** The script's text, where the worker had to be started from a Blob. */
  script: Blob | undefined;
}

/** What the client needs of its surroundings; browser.ts and node.ts implement it. */
export interface Platform {
  /** Names of the worker scripts in the package. */
  workerFiles: Record<WorkerKind, string>;
  /** Why several threads cannot be used here, or undefined where they can. */
  reasonAgainstThreads(): string | undefined;
  /** How many threads to use where the caller does not say. */
  defaultThreads(): number;
  /** Starts a worker: the script at `url`, or the package's own. */
  spawn(
    kind: WorkerKind,
    url: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<SpawnedWorker>;
  /** Absolute URL of one of the package's own files, by its name in the folder `dist`. */
  file(name: string): string;
  /** The model that comes with the package, where it is beside the script. */
  demoModel(): ByteSource;
  /** What to do where a file of the package is missing. */
  missingFileHint: string;
  /** The hub that `hf:` sources name files of. */
  hubUrl(): string;
  /** An absolute URL; in Node a path becomes a file: URL. */
  absoluteUrl(url: string | URL): string;
  /**
   * A Blob that can be sent to the worker, of bytes (copied) or of a Blob. Test environments such
   * as jsdom replace the global Blob by one that cannot; in Node its content is copied.
   */
  blobOf(content: ArrayBuffer | Uint8Array<ArrayBuffer> | Blob): Blob | Promise<Blob>;
  /** The checkpoint that a URL or a path names, a folder; undefined where it is a file. */
  folder(source: string | URL): CheckpointSource | undefined;
  /** Absolute URL of the module that keeps files where there is no file system; empty in Node. */
  storage(): string;
  /** What converts checkpoints. */
  converter(): ConverterUrls;
  /** The source that a URL or a path names; all others are the same everywhere (sources.ts). */
  named(source: string | URL): ByteSource;
  /**
   * Reads an image that only pages have (elements, bitmaps), or gives the address of its file;
   * undefined where `image` is none of those. Called by `ask` synchronously, before the image can
   * change.
   */
  pageImage(image: ImageInput, exact: boolean): Promise<WireImage | string> | undefined;
  /** Draws a file for the worker: a DrawRequest; `side`: of the longer side of an SVG image. */
  drawFile(file: Blob, svg: boolean, side: number): Promise<WireImage>;
}

/** Where `hf:` sources are, unless told otherwise. */
export const defaultHubUrl = "https://huggingface.co";

/** `url` itself, or where it ends in "/" (a folder) the URL of `file` in it. */
export function within(url: string, file: string): string {
  return url.endsWith("/") ? url + file : url;
}

/**
 * The number of threads for a machine with so many logical processors: all of them up to four, then
 * half, eight at most. On processors with two threads a core the second half adds little.
 */
export function threadsFor(processors: number): number {
  return Math.max(1, Math.min(8, processors <= 4 ? processors : Math.max(4, processors >> 1)));
}
