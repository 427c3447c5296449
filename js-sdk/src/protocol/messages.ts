// What travels between the page (or the Node program) and the worker. The Calls map is all of it:
// per call its arguments, the events it may send on the way, and its reply. Requests carry an id;
// events, the reply or an error come back under the same id.

import type {
  FinishReason,
  ModelInfo,
  Sampling,
  SessionSettings,
  Usage,
  Variant,
} from "./values.js";
import type { WireError } from "./wire-error.js";

/**
 * Bytes that the worker is to read: a model file or an encoded image. `name` is what messages call
 * it.
 */
export type ByteSource =
  | { kind: "url"; url: string }
  | { kind: "blob"; blob: Blob; name: string }
  | { kind: "stream"; stream: ReadableStream<Uint8Array>; size: number; name: string }
  | { kind: "path"; path: string };

/**
 * An image on its way to the engine: an encoded file, a decoded bitmap, or pixels row by row
 * without padding.
 */
export type WireImage =
  | { kind: "encoded"; source: ByteSource }
  | { kind: "bitmap"; bitmap: ImageBitmap }
  | { kind: "pixels"; format: "rgba" | "rgb"; width: number; height: number; data: Uint8Array };

export interface StartArgs {
  /** Tried in this order; those that the worker file does not carry are refused. */
  variants: Variant[];
  /** Absolute address of each variant's wasm file. */
  wasmUrls: Record<Variant, string>;
  threads: number;
  /**
   * The text of the worker's own script where it was started from a Blob: pool threads are started
   * from it too.
   */
  script: Blob | undefined;
}
/** The engine that runs in the worker. */
export interface StartedEngine {
  variant: Variant;
  /** How many threads it computes with; 1 in the builds without threads. */
  threads: number;
}
export interface StartReply {
  /** undefined: none of the variants runs here. */
  started: StartedEngine | undefined;
  /** Variants that were tried before and do not run here. */
  rejected: RejectedVariant[];
}
export interface RejectedVariant {
  variant: Variant;
  reason: string;
  /**
   * True where trying again would end the same way (an instruction set that is missing, a failed
   * compilation or self-test); false where it depended on the moment (threads that were slow to
   * start).
   */
  permanent: boolean;
}

export interface LoadArgs {
  source: ByteSource;
  threads: number;
  session: SessionSettings;
}
export interface LoadEvent {
  loadedBytes: number;
  /** 0 while unknown. */
  totalBytes: number;
}

/** A turn that has been answered, with the numbers of its images in the engine. */
export interface PastTurn {
  question: string;
  imageIds: number[];
  answer: string;
}

export interface AskArgs {
  system: string | undefined;
  turns: PastTurn[];
  /** Of the question. */
  images: WireImage[];
  exactPreprocess: boolean;
  prompt: string;
  sampling: Sampling;
  /** The images may be asked about again, by the numbers in the reply, until they are forgotten. */
  keepImages: boolean;
}
export interface AskReply {
  /** Numbers of the images, where they are kept. */
  imageIds: number[];
  text: string;
  finishReason: FinishReason;
  usage: Usage;
  timings: {
    decodeImageMs: number;
    preprocessMs: number;
    visionMs: number;
    prefillMs: number;
    decodeMs: number;
    tokensPerSecond: number;
  };
}

export interface Calls {
  start: { args: StartArgs; event: never; reply: StartReply };
  load: { args: LoadArgs; event: LoadEvent; reply: ModelInfo };
  /** Events are pieces of the answer, in order: whole characters, no round trip for each. */
  ask: { args: AskArgs; event: string; reply: AskReply };
  forget: { args: { imageIds: number[] }; event: never; reply: null };
  /** Bytes that the engine's memory takes now. */
  memory: { args: undefined; event: never; reply: number };
}
export type CallName = keyof Calls;

export type ToWorker =
  { id: number; call: CallName; args: Calls[CallName]["args"] } | { id: number; cancel: true };
export type ToClient =
  | { ready: true }
  | { id: number; event: Calls[CallName]["event"] }
  | { id: number; reply: Calls[CallName]["reply"] }
  | { id: number; error: WireError }
  /** The engine is beyond use; nothing more will come. */
  | { dead: WireError };
