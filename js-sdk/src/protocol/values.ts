// Values that pass between client and worker unchanged and that callers see, too.

/** The builds of the engine, best first. */
export const variants = ["relaxed-mt", "simd-mt", "relaxed", "simd", "scalar"] as const;
/**
 * A build of the engine. `-mt`: with threads. `relaxed`: with relaxed SIMD; `simd`: with 128-bit
 * SIMD; `scalar`: plain WebAssembly.
 */
export type Variant = (typeof variants)[number];

/** Whether this build uses relaxed SIMD. */
export const isRelaxed = (variant: Variant): boolean => variant.startsWith("relaxed");

/** Whether this build runs several threads. */
export const isThreaded = (variant: Variant): boolean => variant.endsWith("-mt");

/** Name, sizes and limits of a loaded model. */
export interface ModelInfo {
  /** The model's name, as its file says (`general.name`). */
  name: string;
  /** The model's architecture, as its file says (`general.architecture`). */
  architecture: string;
  /** Size of the model file in bytes. */
  fileBytes: number;
  /**
   * Edge length in pixels of the square input image, as the model was loaded; 0 for a model without
   * a vision tower.
   */
  imageSize: number;
  /** Tokens of the context that one image takes. */
  imageTokens: number;
  /** Whether the file contains a tokenizer; a model without one cannot be asked. */
  hasTokenizer: boolean;
  /** Length of the context in tokens, as the model was loaded. */
  context: number;
  /** The longest context that the model supports, in tokens. */
  maxContext: number;
  /** Number of tokens in the vocabulary. */
  vocabulary: number;
  /** How many threads compute. */
  threads: number;
}

/** The chat templates that the engine knows. */
export const chatStyles = ["qwen_2", "v1", "plain"] as const;
/**
 * A chat template: Qwen2's ChatML (`qwen_2`), Vicuna's USER and ASSISTANT (`v1`), or the question
 * alone (`plain`).
 */
export type ChatStyle = (typeof chatStyles)[number];

/** How a loaded model is used; what is left out takes the engine's default. */
export interface SessionSettings {
  context?: number | undefined;
  compute?: "fast" | "f32" | undefined;
  imageSize?: number | undefined;
  resize?: "pad" | "crop" | undefined;
  chatStyle?: ChatStyle | undefined;
}

/** Passed to the engine as they are; what is left out takes the engine's default. */
export interface Sampling {
  maxTokens?: number | undefined;
  temperature?: number | undefined;
  topK?: number | undefined;
  topP?: number | undefined;
  minP?: number | undefined;
  repetitionPenalty?: number | undefined;
  stop?: string[] | undefined;
  seed?: number | undefined;
}
/** How many tokens a question and its answer took. */
export interface Usage {
  /** Tokens of the prompt, those of images included. */
  promptTokens: number;
  /** Tokens of the prompt that stand for images. */
  imageTokens: number;
  /** Images that the vision tower encoded; 0 when all were encoded for earlier questions. */
  encodedImages: number;
  /** Tokens of the prompt whose keys and values were kept from the previous question. */
  reusedTokens: number;
  /** Tokens of the answer. */
  completionTokens: number;
}
/**
 * Why an answer ended. `stop`: the model ended it, or a stop sequence did; `length`: `maxTokens` or
 * the context was reached; `cancelled`: by `break` or `cancel()`.
 */
export type FinishReason = "stop" | "length" | "cancelled";
