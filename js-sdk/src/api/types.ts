// Every public type.

/// <reference lib="esnext.disposable" preserve="true" />

import type { ChatStyle, FinishReason, Sampling, Usage, Variant } from "../protocol/values.js";

export type { ChatStyle, FinishReason, ModelInfo, Usage, Variant } from "../protocol/values.js";
export type { ErrorCode } from "../protocol/errors.js";

/** A type of the DOM by its name, or `never` in programs compiled without the DOM (Node). */
type PageType<Name extends string> = typeof globalThis extends {
  [Key in Name]: { prototype: infer Type };
}
  ? Type
  : never;

/**
 * Where a model file comes from: a URL (`hf:owner/repository/file` stands for a file on Hugging
 * Face), a path (Node only), a Blob or File, a Response, or bytes. Bytes are copied; the body of a
 * Response is consumed.
 */
export type ModelSource = string | URL | Blob | Response | ArrayBuffer | Uint8Array;

/**
 * Decoded pixels, 8 bits a channel, in sRGB. An ImageData is one.
 */
export interface RawImage {
  /**
   * Row by row without padding: RGB (`width * height * 3` bytes) or RGBA with alpha not
   * premultiplied (`width * height * 4` bytes), distinguished by the length. Copied by `ask`.
   */
  data: Uint8Array | Uint8ClampedArray;
  /** In pixels, 1 or more; `width * height` is at most 268,435,456. */
  width: number;
  /** In pixels, 1 or more. */
  height: number;
}

/**
 * An image: a URL (also `data:` and `blob:`), a path (Node only), an encoded file as Blob or bytes,
 * raw pixels, or anything that a page can draw. It is read when `ask` is called; a canvas or a
 * video may change afterwards. Browsers decode every format that they can show; Node reads PNG and
 * JPEG.
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

/** How far loading is; passed to `onProgress`. */
export interface LoadProgress {
  /**
   * `engine` once, before the WebAssembly engine starts; `weights` repeatedly, while the model file
   * arrives; `ready` once, at the end.
   */
  phase: "engine" | "weights" | "ready";
  /** Bytes of the model file that have arrived. */
  loadedBytes: number;
  /** Size of the model file in bytes; 0 while unknown. */
  totalBytes: number;
}

/** Options of `TinyVLM.load`. */
export interface LoadOptions {
  /**
   * Called as loading proceeds, at most about 20 times a second. It must not throw.
   */
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

/** How long each stage of an answer took. */
export interface Timings {
  /** Milliseconds for decoding image files to pixels. */
  decodeImageMs: number;
  /** Milliseconds for resizing images to the input size of the model. */
  preprocessMs: number;
  /** Milliseconds in the vision tower and the projector; 0 when every image was encoded before. */
  visionMs: number;
  /** Milliseconds for computing the prompt, up to the first token. */
  prefillMs: number;
  /** Milliseconds from the call of `ask` to the first text; 0 for an answer without text. */
  firstTokenMs: number;
  /** Milliseconds for all tokens after the first. */
  decodeMs: number;
  /** Milliseconds from the call of `ask` to the end, waiting for earlier questions included. */
  totalMs: number;
  /** Tokens after the first, a second of `decodeMs`; 0 where there were none. */
  tokensPerSecond: number;
}

/** Options of `vlm.chat`. */
export interface ChatOptions {
  /**
   * The system prompt of the whole conversation. Default: that of the model's chat template; `""`:
   * none.
   */
  system?: string | undefined;
}

/** One message of a chat. */
export interface ChatMessage {
  /** Who says it. */
  role: "system" | "user" | "assistant";
  /** The text. */
  content: string;
  /** How many images were passed with it. */
  images: number;
}

/** A complete answer, or what there was of it when it was cancelled. */
export interface Answer {
  /** The text, without a stop sequence. */
  text: string;
  /** Why the answer ended. */
  finishReason: FinishReason;
  /** How many tokens were read and made. */
  usage: Usage;
  /** How long each stage took. */
  timings: Timings;
  /** The build of the engine that computed it. */
  variant: Variant;
  /** How many threads computed it. */
  threads: number;
}
