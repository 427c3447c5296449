// Every public type.

/// <reference lib="esnext.disposable" preserve="true" />

import type { FinishReason, ModelInfo, TokenLogprob, Usage, Variant } from "../protocol/values.js";
import type { AskOptions } from "./options.generated.js";

export type {
  CachedModel,
  ChatStyle,
  FinishReason,
  Logprob,
  ModelInfo,
  TokenLogprob,
  Usage,
  Variant,
} from "../protocol/values.js";
export type { ErrorCode } from "../protocol/errors.js";
export type { ResponseFormat } from "../protocol/response-format.js";
export type { AskOptions, LoadOptions } from "./options.generated.js";
export type { CacheOptions, LoadProgress } from "./progress.js";

/** A type of the DOM by its name, or `never` in programs compiled without the DOM (Node). */
type PageType<Name extends string> = typeof globalThis extends {
  [Key in Name]: { prototype: infer Type };
}
  ? Type
  : never;

/** A file that lies in parts, one behind the other. */
export interface SplitFile {
  /** The addresses of the parts, in their order, as those of whole files. */
  readonly parts: readonly (string | URL)[];
}

/**
 * Where a model comes from. A model file: a URL (`hf:owner/repository/file` and
 * `hf:owner/repository@revision/file` stand for a file on Hugging Face), several URLs of the same
 * file (tried in turn), the parts of a file (kept as one, under the address of the first), a path
 * (Node only), a Blob or File, a Response, a ReadableStream of bytes, or bytes. Bytes are copied; a
 * stream and the body of a Response are consumed. A FastVLM checkpoint, which is converted on the
 * way (`options.type`): `hf:owner/repository`, the URL of a folder (ends in `/`), a folder's path
 * (Node only), a directory that the user picked, or the files of one.
 */
export type ModelSource =
  | string
  | URL
  | readonly (string | URL)[]
  | Blob
  | SplitFile
  | Response
  | ReadableStream<Uint8Array>
  | ArrayBuffer
  | Uint8Array
  | readonly Blob[]
  | PageType<"FileSystemDirectoryHandle">
  | PageType<"FileList">;

/**
 * Decoded pixels, 8 bits a channel, in sRGB. An ImageData is one.
 */
export interface RawImage {
  /**
   * Row by row without padding: RGB (`width * height * 3` bytes) or RGBA with alpha not
   * premultiplied (`width * height * 4` bytes), distinguished by the length. Copied by `ask`
   * and `embed`.
   */
  data: Uint8Array | Uint8ClampedArray;
  /** In pixels, 1 or more; `width * height` is at most 268,435,456. */
  width: number;
  /** In pixels, 1 or more. */
  height: number;
}

/**
 * An image: a URL (also `data:` and `blob:`), a path (Node only), an encoded file as Blob or bytes,
 * raw pixels, or anything that a page can draw. It is read when `ask` or `embed` is called; a
 * canvas or a video may change afterwards. Browsers decode every format that they can show, SVG
 * included; Node reads PNG and JPEG, and WebP, AVIF, GIF and TIFF where the package sharp is
 * installed.
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

/** How long each stage of an answer or an embedding took. */
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
  /**
   * Milliseconds from the call of `ask` or `embed` to the end, waiting for earlier questions
   * included.
   */
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
  /**
   * What was said before, oldest first: questions of the user and answers of the assistant in turn.
   * Default: nothing.
   */
  messages?: readonly PastMessage[] | undefined;
}

/** One message that a chat is made with. */
export interface PastMessage {
  /** Who said it: the user first, then in turn; the assistant last. */
  role: "user" | "assistant";
  /** The text. */
  content: string;
  /**
   * The images that were passed with it, the user's only. They are read whenever a question is
   * asked, until one was answered. Default: none.
   */
  images?: readonly ImageInput[] | undefined;
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
  /**
   * Sentences for people about defects of the question's images that were drawn over, such as a
   * JPEG that is cut off; mostly none.
   */
  warnings: string[];
  /** How many tokens were read and made. */
  usage: Usage;
  /** How long each stage took. */
  timings: Timings;
  /** The build of the engine that computed it. */
  variant: Variant;
  /** How many threads computed it. */
  threads: number;
  /**
   * With the option `logprobs`: its tokens in order, but for one that ended it, each with its log
   * probability and the most probable ones in its place. Those of the model's own distribution:
   * before penalties, temperature and what `responseFormat` allows.
   */
  logprobs?: TokenLogprob[];
}

/** Options of `vlm.embed`. */
export interface EmbedOptions extends Pick<AskOptions, "signal" | "exactPreprocess" | "strict"> {
  /** Whether the rows are wanted, too, of which the vector is the mean. Default: false. */
  rows?: boolean | undefined;
}

/** Numbers by which images that look alike can be found. */
export interface Embedding {
  /**
   * The mean of the image's rows, at a length of 1: `width` numbers. The sum of products of two of
   * them is their cosine similarity, from -1 to 1.
   */
  vector: Float32Array;
  /** How many numbers `vector` and each row have. Of one model all embeddings have the same. */
  width: number;
  /** How many rows the image has: tokens that it takes of the context (`info.imageTokens`). */
  tokens: number;
  /**
   * With the option `rows`: what the vision tower and the projector make of the image for the
   * language model, a row of `width` numbers for each token, one row behind the other, from the top
   * left of the image to its bottom right.
   */
  rows?: Float32Array;
  /** As in `Answer`: defects of the image's file that were drawn over; mostly none. */
  warnings: string[];
  /** How long each stage took; `visionMs` is 0 for an image that was encoded before. */
  timings: Pick<Timings, "decodeImageMs" | "preprocessMs" | "visionMs" | "totalMs">;
}

/** What `TinyVLM.inspect` tells of a model that is not loaded. */
export interface ModelInspection extends ModelInfo {
  /**
   * Bytes of memory that the engine would take here with these options, weights included, images
   * and other things of the moment left out.
   */
  memoryBytes: number;
  /** Bytes of the file that are kept on this device (`TinyVLM.cache`). */
  cachedBytes: number;
  /** The build of the engine that would run. */
  variant: Variant;
}
