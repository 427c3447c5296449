// The dictionaries of the Prompt API, as far as they are known here.

import type { ImageInput } from "../../api/types.js";

/** Whether a session can be made: at once, after a download, or not at all. */
export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

/** A kind of content that a session shall take or give. */
export interface ExpectedContent {
  /** `text` and `image` as input, `text` as output; anything else is not available. */
  type: string;
  /** Not looked at: what languages a model knows is known by its maker. */
  languages?: readonly string[] | undefined;
}

/** A part of a message. */
export interface PromptContent {
  /** `text` or `image`. */
  type: string;
  /** The text; or the image: a Blob, bytes, pixels, or what a page can draw. */
  value: string | ImageInput | ArrayBufferView;
}

/** One message of a prompt. */
export interface PromptMessage {
  /** Who says it. `system` only as the first of the initial prompts. */
  role: "system" | "user" | "assistant";
  /** A text, or parts. */
  content: string | readonly PromptContent[];
  /** Refused: an answer cannot be begun. */
  prefix?: boolean | undefined;
}

/** What is said: a text of the user, or messages. */
export type Prompt = string | readonly PromptMessage[];

/** How an answer is drawn, from always the most probable token to often another one. */
export type SamplingMode =
  "default" | "most-predictable" | "predictable" | "balanced" | "creative" | "most-creative";

/** What a session shall be able to do. */
export interface CreateCoreOptions {
  /** As of AskOptions. */
  topK?: number | undefined;
  /** As of AskOptions. */
  temperature?: number | undefined;
  /** Where no temperature is given. Default: `default`, which is the SDK's own (greedy). */
  samplingMode?: SamplingMode | undefined;
  /** Images are taken only where they are expected. */
  expectedInputs?: readonly ExpectedContent[] | undefined;
  /** What answers shall be. */
  expectedOutputs?: readonly ExpectedContent[] | undefined;
  /** Not available: the model calls none. */
  tools?: readonly object[] | undefined;
}

/** What a session begins with. */
export interface CreateOptions extends CreateCoreOptions {
  /** Ends the making of the session. */
  signal?: AbortSignal | undefined;
  /**
   * Given an EventTarget that is told of the download: `downloadprogress`, with `loaded` from 0 to 1.
   */
  monitor?: ((target: DownloadMonitor) => void) | undefined;
  /** What was said before. */
  initialPrompts?: readonly PromptMessage[] | undefined;
}

/** The event `downloadprogress`. */
export interface DownloadProgressEvent extends Event {
  /** The share of the download that has arrived, from 0 to 1. */
  readonly loaded: number;
}

/** What `monitor` is given. */
export type DownloadMonitor = {
  /** As EventTarget's. */
  addEventListener(
    type: "downloadprogress",
    listener: (event: DownloadProgressEvent) => void,
  ): void;
} & EventTarget;

/** Options of a prompt. */
export interface PromptOptions {
  /** A JSON schema that the answer obeys, or a RegExp that it matches. */
  responseConstraint?: object | undefined;
  /** Has no effect: the constraint is never put into the prompt. Wants one. */
  omitResponseConstraintInput?: boolean | undefined;
  /** Ends the answer. */
  signal?: AbortSignal | undefined;
}

/** Options of `append` and `clone`. */
export interface SignalOptions {
  /** Ends the work. */
  signal?: AbortSignal | undefined;
}

/** A session of the Prompt API. */
export interface LanguageModelSession extends EventTarget {
  /** Tokens of the conversation so far. */
  readonly contextUsage: number;
  /** Tokens that the conversation may have. */
  readonly contextWindow: number;
  /** As given to `create`; 0: all tokens. */
  readonly topK: number;
  /** As given to `create`. */
  readonly temperature: number;
  /** Called where a prompt does not fit the context. */
  oncontextoverflow: ((event: Event) => void) | null;
  /** Answers. Rejects with a DOMException. */
  prompt(input: Prompt, options?: PromptOptions): Promise<string>;
  /** Answers piece by piece; cancelling the stream ends the work. */
  promptStreaming(input: Prompt, options?: PromptOptions): ReadableStream<string>;
  /** Adds to the conversation without an answer, and computes it, so that the next one is quick. */
  append(input: Prompt, options?: SignalOptions): Promise<void>;
  /** How many tokens `input` would add. It is computed for that, as by `append`. */
  measureContextUsage(input: Prompt, options?: PromptOptions): Promise<number>;
  /** Another session with the same conversation. */
  clone(options?: SignalOptions): Promise<LanguageModelSession>;
  /** Ends the session; the last one ends the model. */
  destroy(): void;
}

/** The class of the Prompt API. */
export interface LanguageModelClass {
  /** Of `instanceof`; sessions are made by `create`. */
  readonly prototype: LanguageModelSession;
  /** Whether a session with these options can be made. */
  availability(options?: CreateCoreOptions): Promise<Availability>;
  /** Loads the model, where it is not there yet, and makes a session. Rejects with a DOMException. */
  create(options?: CreateOptions): Promise<LanguageModelSession>;
  /** Defaults and bounds of `topK` and `temperature`. */
  params(): Promise<LanguageModelParams>;
}

/** Defaults and bounds of `topK` and `temperature`. */
export interface LanguageModelParams {
  /** Greedy. */
  readonly defaultTopK: number;
  /** More is taken as this. */
  readonly maxTopK: number;
  /** Greedy. */
  readonly defaultTemperature: number;
  /** More is taken as this. */
  readonly maxTemperature: number;
}
