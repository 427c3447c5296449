// Every message between the client (a page or a Node program) and the worker. The Calls map lists
// the calls: arguments, the events that may come before the reply, and the reply. A request carries
// an id; its events and its reply or error come back under the same id.

import type {
  FinishReason,
  ModelInfo,
  Sampling,
  SessionSettings,
  TokenLogprob,
  Usage,
  Variant,
} from "./values.js";
import type { WireError } from "./wire-error.js";

/**
 * Bytes for the worker to read: a model file or an encoded image. `name` is for messages; `size` is
 * in bytes, 0 while unknown.
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

/** Arguments of `start`. */
export interface StartArgs {
  /** Tried in this order; those that the worker file does not contain are rejected. */
  variants: Variant[];
  /** Absolute URL of each variant's wasm file. */
  wasmUrls: Record<Variant, string>;
  threads: number;
  /**
   * The text of the worker's own script, where it was started from a Blob: pool threads must be
   * started from it, too.
   */
  script: Blob | undefined;
}
/** The engine that runs in the worker. */
export interface StartedEngine {
  variant: Variant;
  /** How many threads it computes with; 1 in the builds without threads. */
  threads: number;
}
/** Reply of `start`. */
export interface StartReply {
  /** undefined: none of the variants runs here. */
  started: StartedEngine | undefined;
  /** Variants that were tried before and do not run here. */
  rejected: RejectedVariant[];
}
/** A build that was tried and does not run here. */
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

/** How a model is fetched and kept. */
export interface Delivery {
  /** The name under which it is kept; undefined: it is not. */
  cacheKey: string | undefined;
  /** The most bytes that all kept models may have together. */
  cacheBytes: number;
  /** Absolute URL of storage.mjs; empty in Node. */
  storage: string;
  /** Of every request for it. */
  headers: Record<string, string>;
  /** Milliseconds without a byte after which a connection counts as broken. */
  stallTimeout: number;
}

/** Where the files of a checkpoint are. */
export type CheckpointSource =
  | { kind: "hub"; hub: string; repository: string; revision: string }
  | { kind: "folder"; url: string }
  | { kind: "files"; name: string; files: File[] }
  | { kind: "directory"; handle: FileSystemDirectoryHandle }
  | { kind: "path"; path: string };

/** Absolute URLs of the files that convert checkpoints. */
export interface ConverterUrls {
  loader: string;
  script: string;
  wasm: string;
}

/** A checkpoint that is converted on its way. */
export interface CheckpointArgs {
  source: CheckpointSource;
  /** Of the decoder's weights in the model file. */
  type: string;
  /** Addresses of what is loaded for it: checkpoint.ts, and the module that converts. */
  converter: ConverterUrls;
}

/** Arguments of `load`. */
export interface LoadArgs {
  /** Where the model is: one source, or several addresses of the same file, tried in turn. */
  sources: ByteSource[];
  /**
   * Where `sources` are the parts of one file: the address of what reads them (checkpoint.ts).
   */
  split?: string | undefined;
  /** A checkpoint in place of `sources`. */
  checkpoint: CheckpointArgs | undefined;
  delivery: Delivery;
  threads: number;
  session: SessionSettings;
  /** Whether questions are asked before all weights are there. */
  early: boolean;
  /** Whether loading ends with the file's header; no question can be asked then. */
  headerOnly: boolean;
}
/** Progress of `load`, as LoadProgress tells it; or something to be told to the caller. */
export type LoadEvent =
  | {
      loadedBytes: number;
      totalBytes: number;
      cachedBytes: number;
      bytesPerSecond: number;
      secondsLeft: number | undefined;
    }
  | { warning: string }
  /** With `early`: the model can be asked. */
  | { askable: ModelInfo };

/** A message of a conversation. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
  /** Ids in the engine; or -n for the n-th image of the request that the message is sent with. */
  images: number[];
}

/** `messages` with ids in the place of images of the request that had these `ids` in its reply. */
export function withIds(messages: readonly Message[], ids: readonly number[]): Message[] {
  const idOf = (image: number) => (image < 0 ? ids[-1 - image]! : image);
  return messages.map((message) => ({ ...message, images: message.images.map(idOf) }));
}

/** What a worker asks of its page: to decode an image file that only an `<img>` shows. */
export interface DrawRequest {
  /** For `drawn`. */
  drawing: number;
  file: Blob;
  svg: boolean;
}

/** Images of a call, and how they are read. */
export interface ImageArgs {
  images: WireImage[];
  exactPreprocess: boolean;
  strict: boolean;
}

/** Arguments of `ask`; `images` are those of its images that are not in the engine yet. */
export interface AskArgs extends ImageArgs {
  /** The conversation, the question last. Without a system prompt: the model's default. */
  messages: Message[];
  sampling: Sampling;
  /** The images stay in the engine under the ids in the reply, until `forget`. */
  keepImages: boolean;
}
/** Reply of `ask`. */
export interface AskReply {
  /** Ids of the images, where they are kept; otherwise empty. */
  imageIds: number[];
  /** Defects of the question's images that were drawn over. */
  warnings: string[];
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
  /** Where they were asked for. */
  logprobs?: TokenLogprob[];
}

/** Arguments of `embed`, with one image. */
export interface EmbedArgs extends ImageArgs {
  /** Whether the rows are wanted. */
  rows: boolean;
}
/** Reply of `embed`. */
export interface EmbedReply extends Pick<AskReply, "warnings" | "timings"> {
  vector: Float32Array;
  /** Where they are wanted. */
  rows?: Float32Array;
}

/** Every call of the protocol. */
export interface Calls {
  /** Starts the engine: the first of the given builds that runs here. Once per worker. */
  start: { args: StartArgs; event: never; reply: StartReply };
  /** Reads the model file into the engine and makes a session. */
  load: { args: LoadArgs; event: LoadEvent; reply: ModelInfo };
  /** Answers a question. Texts are pieces of the answer, in order, in whole characters. */
  ask: { args: AskArgs; event: string | DrawRequest; reply: AskReply };
  /** Embeds an image. */
  embed: { args: EmbedArgs; event: DrawRequest; reply: EmbedReply };
  /** What became of a DrawRequest: the image, or why there is none. */
  drawn: { args: { drawing: number; image: WireImage | string }; event: never; reply: null };
  /** Releases images that were kept. */
  forget: { args: { imageIds: number[] }; event: never; reply: null };
  /** Size of the engine's memory in bytes. */
  memory: { args: undefined; event: never; reply: number };
}
/** The name of a call. */
export type CallName = keyof Calls;

/** What the client sends: a call, or the wish to cancel the one with this id. */
export type ToWorker =
  { id: number; call: CallName; args: Calls[CallName]["args"] } | { id: number; cancel: true };
/** What the worker sends. `ready` comes first and once: it listens. */
export type ToClient =
  | { ready: true }
  | { id: number; event: Calls[CallName]["event"] }
  | { id: number; reply: Calls[CallName]["reply"] }
  | { id: number; error: WireError }
  /** The engine crashed; no further message follows. */
  | { dead: WireError };
