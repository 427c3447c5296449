// Every public type that differs from that of the SDK for the web (js-sdk/src/api/types.ts): what
// a phone has not, and what it has besides.

import type {
  Answer as WebAnswer,
  AskOptions,
  ChatMessage,
  ChatOptions as WebChatOptions,
  LoadOptions as WebLoadOptions,
  LoadProgress as WebLoadProgress,
  ModelInfo as WebModelInfo,
  PastMessage as WebPastMessage,
  RawImage,
} from "../../../js-sdk/src/api/types.js";

export type {
  AskOptions,
  ChatMessage,
  ErrorCode,
  FinishReason,
  Logprob,
  RawImage,
  ResponseFormat,
  Timings,
  TokenLogprob,
  Usage,
} from "../../../js-sdk/src/api/types.js";

/**
 * Where a model file comes from:
 *
 * - `https://…`, or `hf:owner/repository/file` (also with `@revision` behind the repository): it is
 *   downloaded once and kept on the device; a download that broke off goes on where it was.
 * - `file://…`, or an absolute path: a file of the app's.
 * - `asset:name`: a file that comes with the app, in Android's assets (not compressed) or among the
 *   resources of the iOS app.
 * - `content://…` (Android): a document that the user picked.
 */
export type ModelSource = string | URL;

/**
 * An image: an address (`file://…`, an absolute path, `content://…`, `ph://…` where the app has a
 * loader for it, `https://…`, `data:` with base64), an object with one, as image pickers give it,
 * the bytes of an image file, or raw pixels. Addresses of the device are read when the question's
 * turn comes, all else when `ask` is called.
 */
export type ImageInput =
  string | URL | { readonly uri: string } | Blob | ArrayBuffer | Uint8Array | RawImage;

/** How a model is loaded and used. */
export interface LoadOptions extends Pick<
  WebLoadOptions,
  | "signal"
  | "headers"
  | "stallTimeout"
  | "hubUrl"
  | "threads"
  | "context"
  | "imageSize"
  | "resize"
  | "chatStyle"
  | "compute"
> {
  /**
   * Called as loading proceeds, at most about 20 times a second: `phase` is `engine` once,
   * `download` where the file is fetched, `weights`, then `ready` once. It must not throw.
   */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** How far loading is. */
export interface LoadProgress extends Omit<WebLoadProgress, "phase" | "cachedBytes"> {
  /**
   * `engine` once; `download` repeatedly, where the file is not on the device; `weights`
   * repeatedly, while the engine reads or maps it; `ready` once, at the end.
   */
  phase: WebLoadProgress["phase"] | "download";
}

/** Name, sizes and limits of the loaded model. */
export type ModelInfo = Omit<WebModelInfo, "hasTokenizer">;

/** A complete answer, or what there was of it when it was cancelled. */
export type Answer = Omit<WebAnswer, "variant">;

/** Options of `vlm.chat`. */
export interface ChatOptions extends Omit<WebChatOptions, "messages"> {
  /**
   * What was said before, oldest first: questions of the user and answers of the assistant in turn.
   * Default: nothing.
   */
  messages?: readonly PastMessage[] | undefined;
}

/** One message that a chat is made with. */
export interface PastMessage extends Omit<WebPastMessage, "images"> {
  /**
   * The images that were passed with it, the user's only. They are read whenever a question is
   * asked, until one was answered. Default: none.
   */
  images?: readonly ImageInput[] | undefined;
}

/**
 * An answer in progress. `for await` gives its text piece by piece (whole characters); `await`
 * gives the whole Answer. The work starts at once, whether or not anybody reads. Each loop sees the
 * text from the beginning; leaving a loop early cancels the work.
 */
export interface AnswerStream extends AsyncIterable<string>, PromiseLike<Answer> {
  /** Ends the work. The answer resolves with the text so far and finish reason `cancelled`. */
  cancel(): void;
  /** As of a promise of the Answer. */
  catch<Result = never>(
    onRejected?: ((reason: unknown) => Result | PromiseLike<Result>) | null,
  ): Promise<Answer | Result>;
  /** As of a promise of the Answer. */
  finally(onFinally?: (() => void) | null): Promise<Answer>;
}

/** A conversation, made by `vlm.chat()`. Its images stay in memory until `dispose()`. */
export interface Chat {
  /**
   * Asks the next question about the images and answers of the conversation so far. The turn
   * becomes part of the conversation when its answer resolves, also where it was cancelled after
   * its first words; a question that fails leaves the conversation as it was.
   */
  ask(question: string, options?: AskOptions): AnswerStream;
  /** Asks the next question with a new image, several, or none (null). */
  ask(
    image: ImageInput | readonly ImageInput[] | null,
    question: string,
    options?: AskOptions,
  ): AnswerStream;
  /** The messages so far, oldest first: a copy. */
  readonly messages: ChatMessage[];
  /** Ends the conversation and releases its images. Later questions fail with `not_ready`. */
  dispose(): void;
}
