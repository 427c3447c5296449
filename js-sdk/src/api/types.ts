// Every public type.

/// <reference lib="esnext.disposable" preserve="true" />

import type { ChatStyle, FinishReason, Sampling, Usage, Variant } from "../protocol/values.js";

export type { ChatStyle, FinishReason, ModelInfo, Usage, Variant } from "../protocol/values.js";
export type { ErrorCode } from "../protocol/errors.js";

// A type of the page, or nothing in programs that are compiled without the DOM (Node).
type PageType<Name extends string> = typeof globalThis extends {
  [Key in Name]: { prototype: infer Type };
}
  ? Type
  : never;

/**
 * Where a model comes from: an address (`hf:owner/repository/file` is short for one), a path in
 * Node, a Blob or File, a Response, or bytes.
 */
export type ModelSource = string | URL | Blob | Response | ArrayBuffer | Uint8Array;

/**
 * Pixels row by row without padding: RGB or RGBA, told apart by the length of `data`. An ImageData
 * is one.
 */
export interface RawImage {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

/**
 * An image: an address (also `data:` and `blob:`), a path in Node, an encoded file as Blob or
 * bytes, raw pixels, or what a page can draw. It is read when `ask` is called; a canvas or a video
 * may change afterwards.
 */
export type ImageInput =
  | string
  | URL
  | Blob
  | ArrayBuffer
  | Uint8Array
  | RawImage
  | PageType<"ImageBitmap">
  | PageType<"HTMLImageElement">
  | PageType<"HTMLCanvasElement">
  | PageType<"OffscreenCanvas">
  | PageType<"HTMLVideoElement">
  | PageType<"VideoFrame">;

export interface LoadProgress {
  /**
   * `engine` while the WebAssembly starts, `weights` while the model arrives, `ready` once, at the
   * end.
   */
  phase: "engine" | "weights" | "ready";
  /** Bytes of the model so far. */
  loadedBytes: number;
  /** Bytes of the whole model; 0 while unknown. */
  totalBytes: number;
}

export interface LoadOptions {
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Ends loading with a TinyVLMError of code `aborted` (name `AbortError`). */
  signal?: AbortSignal | undefined;
  /** At most this many; only the builds `relaxed-mt` and `simd-mt` use more than one. */
  threads?: number | undefined;
  /** One build of the engine instead of the best that runs here. */
  variant?: Variant | undefined;
  /**
   * Where the wasm files are: a folder (ends in `/`), an address for each variant, or one file
   * together with `variant`.
   */
  wasmUrl?: string | URL | Partial<Record<Variant, string | URL>> | undefined;
  /** Where `worker.mjs` and `worker-mt.mjs` are: a folder (ends in `/`), or one file. */
  workerUrl?: string | URL | undefined;
  /**
   * Rows of the context, for images, question and answer together (default 2048). Memory for them
   * is taken at once.
   */
  context?: number | undefined;
  /**
   * Side of the image that the model is shown, a multiple of 64: smaller is faster and sees less.
   * Default: the model's own.
   */
  imageSize?: number | undefined;
  /** How an image becomes square: black bars, or the middle cut out. Default: the model's own. */
  resize?: "pad" | "crop" | undefined;
  /**
   * How prompts are written. Default: as the model file says; needed for text models of others
   * whose template is not one of these.
   */
  chatStyle?: ChatStyle | undefined;
  /** `f32` computes without quantised activations: slow, for comparisons. */
  compute?: "fast" | "f32" | undefined;
}

export interface AskOptions extends Omit<Sampling, "stop"> {
  /**
   * What the model is told before everything else, instead of its own words; in a chat it is the
   * chat's.
   */
  system?: string | undefined;
  /** The answer ends before any of these. */
  stop?: string | string[] | undefined;
  /**
   * Ends the work; the answer rejects with a TinyVLMError of code `aborted` (name `AbortError`).
   */
  signal?: AbortSignal | undefined;
  /** The same under the name that other libraries use. */
  abortSignal?: AbortSignal | undefined;
  /**
   * Prepare images exactly as the reference does: the engine's own decoder (PNG, JPEG), alpha
   * dropped, EXIF ignored.
   */
  exactPreprocess?: boolean | undefined;
}

/** Milliseconds, but for `tokensPerSecond`. */
export interface Timings {
  decodeImageMs: number;
  preprocessMs: number;
  visionMs: number;
  prefillMs: number;
  /** From the call of `ask` to the first text; 0 for an answer without text. */
  firstTokenMs: number;
  decodeMs: number;
  /** From the call of `ask` to the end. */
  totalMs: number;
  tokensPerSecond: number;
}

export interface ChatOptions {
  /** What the model is told before everything else, instead of its own words. */
  system?: string | undefined;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
  /** How many images came with it. */
  images: number;
}

export interface Answer {
  text: string;
  /**
   * `stop`: the model had finished; `length`: maxTokens or the context ran out; `cancelled`: by
   * `break` or `cancel()`.
   */
  finishReason: FinishReason;
  usage: Usage;
  timings: Timings;
  variant: Variant;
  threads: number;
}
