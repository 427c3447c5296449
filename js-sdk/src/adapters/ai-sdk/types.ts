// The parts of the AI SDK's language model specifications that the adapter reads and writes. Only
// their shape matters: the AI SDK is no dependency.

/** The content of a file: bytes, base64, or an address. */
export type FileData = Uint8Array | string | URL | object;

/** A part of a message's content. */
export interface PromptPart {
  /** `text`, `file`, `reasoning`, or one that is refused. */
  type: string;
  /** The text, where it is one. */
  text?: string | undefined;
  /** The file's content, where it is one. */
  data?: FileData | undefined;
  /** The file's type; images may be of any (`image/*`). */
  mediaType?: string | undefined;
}

/** A message of a prompt. */
export interface PromptMessage {
  /** Who says it. */
  role: "system" | "user" | "assistant" | "tool";
  /** A text (of the system), or parts. */
  content: string | readonly PromptPart[];
}

/** What an answer shall be. */
export interface CallFormat {
  /** A text, or JSON. */
  type: "text" | "json";
  /** The JSON schema, with `json`. Default: any object. */
  schema?: object | undefined;
}

/** Which tools may be called. */
export interface ToolChoice {
  /** `none`, or one that asks for them. */
  type: string;
}

/** What a call asks for. */
export interface CallOptions {
  /** The conversation, the user's question last. */
  prompt: readonly PromptMessage[];
  /** The most tokens of the answer. */
  maxOutputTokens?: number | undefined;
  /** As of AskOptions. */
  temperature?: number | undefined;
  /** Texts that end the answer. */
  stopSequences?: string[] | undefined;
  /** As of AskOptions. */
  topP?: number | undefined;
  /** As of AskOptions. */
  topK?: number | undefined;
  /** As of AskOptions. */
  presencePenalty?: number | undefined;
  /** As of AskOptions. */
  frequencyPenalty?: number | undefined;
  /** Text, or JSON by a schema. */
  responseFormat?: CallFormat | undefined;
  /** As of AskOptions. */
  seed?: number | undefined;
  /** Refused, unless `toolChoice` is `none`. */
  tools?: readonly object[] | undefined;
  /** Which tools may be called. */
  toolChoice?: ToolChoice | undefined;
  /** How much to reason; there is a warning where it is asked for. */
  reasoning?: string | undefined;
  /** Ends the work. */
  abortSignal?: AbortSignal | undefined;
  /** Other options of `vlm.ask` under `tiny-vlm`. */
  providerOptions?: Record<string, Record<string, unknown>> | undefined;
}

/** What a call asked for and did not get (v3). */
export interface Warning {
  /** That it is not supported. */
  type: "unsupported";
  /** The setting's name. */
  feature: string;
  /** Why. */
  details?: string;
}

/** What a call asked for and did not get (v2). */
export interface WarningV2 {
  /** That it is not supported. */
  type: "unsupported-setting";
  /** The setting's name. */
  setting: string;
  /** Why. */
  details?: string | undefined;
}

/** How an answer ended, and what it took (v3). */
export interface Finish {
  /** Why it ended. */
  finishReason: {
    /** In the AI SDK's words. */
    unified: "stop" | "length" | "other";
    /** In the engine's. */
    raw: string;
  };
  /** Tokens of the prompt and of the answer. */
  usage: {
    /** Of the prompt: all, and those that were computed, or known from the request before. */
    inputTokens: Record<"total" | "noCache" | "cacheRead" | "cacheWrite", number | undefined>;
    /** Of the answer. */
    outputTokens: Record<"total" | "text" | "reasoning", number | undefined>;
    /** The engine's own counts. */
    raw: Record<string, number>;
  };
}

/** How an answer ended, and what it took (v2). */
export interface FinishV2 {
  /** Why it ended. */
  finishReason: "stop" | "length" | "other";
  /** Tokens of the prompt, of the answer, of both, and those known from the request before. */
  usage: {
    /** Of the prompt. */
    inputTokens: number;
    /** Of the answer. */
    outputTokens: number;
    /** Of both. */
    totalTokens: number;
    /** Of the prompt, those known from the request before. */
    cachedInputTokens: number;
  };
}

/** A value that JSON has. */
export type JsonValue =
  | null
  | string
  | number
  | boolean
  | JsonValue[]
  | {
      /** A member by its name. */
      [name: string]: JsonValue;
    };

/** What each part of a stream and a whole answer tell of how it was computed, by provider. */
export type ProviderMetadata = Record<string, Record<string, JsonValue>>;

/** The text of an answer. */
export interface TextContent {
  /** That it is one. */
  type: "text";
  /** The text. */
  text: string;
}

/** Which model answered. */
export interface ResponseMetadata {
  /** The model's name. */
  modelId: string;
  /** When it was asked. */
  timestamp: Date;
}

/** A whole answer. */
export type GenerateResult<ToldWarning, ToldFinish> = ToldFinish & {
  /** The text, in one part. */
  content: TextContent[];
  /** Under `tiny-vlm`: timings, variant, threads. */
  providerMetadata: ProviderMetadata;
  /** Which model answered, and when it was asked. */
  response: ResponseMetadata;
  /** What the call asked for and did not get. */
  warnings: ToldWarning[];
};

/** A part by the name of its type. */
export type PartOf<Type extends string, Content> = Content & Record<"type", Type>;

/** A part of an answer in progress. */
export type StreamPart<ToldWarning, ToldFinish> =
  | PartOf<"stream-start", Record<"warnings", ToldWarning[]>>
  | PartOf<"response-metadata", ResponseMetadata>
  | PartOf<"text-start" | "text-end", Record<"id", string>>
  | PartOf<"text-delta", Record<"id" | "delta", string>>
  | PartOf<"finish", ToldFinish & Record<"providerMetadata", ProviderMetadata>>
  | PartOf<"error", Record<"error", unknown>>;

/** An answer in progress. */
export interface StreamResult<ToldWarning, ToldFinish> {
  /** Its parts; cancelling it ends the work. */
  stream: ReadableStream<StreamPart<ToldWarning, ToldFinish>>;
}

/** A language model of a specification. */
export interface LanguageModelOf<Version extends string, ToldWarning, ToldFinish> {
  /** The specification's version. */
  readonly specificationVersion: Version;
  /** `tiny-vlm`. */
  readonly provider: string;
  /** The model's name, as its file says. */
  readonly modelId: string;
  /** None: the AI SDK fetches images that have an address. */
  readonly supportedUrls: Record<string, RegExp[]>;
  /** Answers a prompt, whole. */
  doGenerate(options: CallOptions): Promise<GenerateResult<ToldWarning, ToldFinish>>;
  /** Answers a prompt, part by part. */
  doStream(options: CallOptions): Promise<StreamResult<ToldWarning, ToldFinish>>;
}

/** A language model for the packages ai 6 and 7. */
export type TinyVLMLanguageModel = LanguageModelOf<"v3", Warning, Finish>;

/** A language model for the package ai 5. */
export type TinyVLMLanguageModelV2 = LanguageModelOf<"v2", WarningV2, FinishV2>;
