// What differs between a Web Worker and Node's worker_threads on the worker's side.

import type { CheckpointPlatform } from "../loader/open-checkpoint.js";
import type { WorkerPort } from "../protocol/endpoint.js";
import type { WireImage } from "../protocol/messages.js";

/** What the worker needs of its surroundings. */
export interface WorkerPlatform extends CheckpointPlatform {
  /** Whether this is Node. */
  inNode: boolean;
  /** The connection to the client. */
  port: WorkerPort;
  /** URL (in Node, path) of this script: pool threads are started from it. */
  script: string;
  /** Reads and compiles the wasm file at an absolute URL. */
  compile(url: string): Promise<WebAssembly.Module>;
  /**
   * Decodes a file of a format that the engine does not know; the promise of undefined where that
   * is no image. Undefined where a browser decodes. Errors: `invalid_image`, which says what would
   * decode it.
   */
  decodeImage: ((file: Uint8Array, format: string) => Promise<WireImage | undefined>) | undefined;
}
