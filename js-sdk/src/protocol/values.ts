// Values that pass between client and worker unchanged and that callers see, too.

import type { Variant } from "./options.generated.js";

export { chatStyles, variants } from "./options.generated.js";
export type { ChatStyle, Sampling, SessionSettings, Variant } from "./options.generated.js";

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
  /** Sentences about what the file does not say and was assumed; usually none. */
  warnings: string[];
}

/** A token with its probability. */
export interface Logprob {
  /** Its bytes as text, parts of characters replaced by U+FFFD; empty for one that ends answers. */
  text: string;
  /** The bytes that it adds to an answer. */
  bytes: number[];
  /** Natural logarithm of its probability, -9999 at least. */
  logprob: number;
}

/** A token of an answer, as `logprobs` tells it. */
export interface TokenLogprob extends Logprob {
  /** The most probable tokens in its place, best first: as many as `logprobs` says. */
  top: Logprob[];
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

/** Sizes and hashes of a model file's parts, as its header tells them. */
export interface ModelLayout {
  /** Bytes before the data section. */
  headerBytes: number;
  /** Of the whole file. Counts padding at the end, which a file without hashes may lack. */
  fileBytes: number;
  /** Bytes of the data section under each hash; 0 where the file has no hashes. */
  chunkBytes: number;
  /** 32 bytes a chunk. */
  chunkSha256: Uint8Array;
}

/** A file that is kept, as `TinyVLM.cache.list()` tells it. */
export interface CachedModel {
  /** The address that it was loaded from. */
  url: string;
  /** Bytes of it that are kept. */
  storedBytes: number;
  /** Bytes of the whole file. */
  totalBytes: number;
  /** When it was last loaded. */
  lastUsed: Date;
}
