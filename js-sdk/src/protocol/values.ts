// Values that cross the worker's border as they are and that callers see too.

/** The builds of the engine, best first. */
export const variants = ["relaxed-mt", "simd-mt", "relaxed", "simd", "scalar"] as const;
export type Variant = (typeof variants)[number];

/** Whether this build uses relaxed SIMD. */
export const isRelaxed = (variant: Variant): boolean => variant.startsWith("relaxed");

/** Whether this build runs several threads. */
export const isThreaded = (variant: Variant): boolean => variant.endsWith("-mt");

/** Facts of a loaded model, as the engine tells them. */
export interface ModelInfo {
  name: string;
  architecture: string;
  fileBytes: number;
  /**
   * Side of the square image that the model sees, in pixels, as it was loaded; 0 for a model
   * without a vision tower.
   */
  imageSize: number;
  /** Rows of the context that one image takes. */
  imageTokens: number;
  hasTokenizer: boolean;
  /** Rows of context, as the model was loaded. */
  context: number;
  /** The most that the model can do. */
  maxContext: number;
  vocabulary: number;
  threads: number;
}

/** How a prompt is written: Qwen2's ChatML, Vicuna's USER and ASSISTANT, or the question alone. */
export const chatStyles = ["qwen_2", "v1", "plain"] as const;
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
export interface Usage {
  /** Rows of the prompt, those of images included. */
  promptTokens: number;
  imageTokens: number;
  /** Images that went through the vision tower; 0 when all were known from an earlier question. */
  encodedImages: number;
  /** Rows of the prompt whose state was kept from the question before. */
  reusedTokens: number;
  completionTokens: number;
}
export type FinishReason = "stop" | "length" | "cancelled";
