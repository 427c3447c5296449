// Options as callers give them, checked where the caller can be told: names and types here, ranges
// in the engine.

import { TinyVLMError } from "../protocol/errors.js";
import { chatStyles, variants, type Sampling } from "../protocol/values.js";
import { describe } from "./sources.js";
import type { AskOptions, LoadOptions } from "./types.js";

const maxThreads = 64;

export function checkLoadOptions({
  threads,
  variant,
  context,
  compute,
  imageSize,
  resize,
  chatStyle,
}: LoadOptions): void {
  if (variant !== undefined && !variants.includes(variant))
    throw wanted("variant", variants.join(", "), variant);
  if (
    threads !== undefined &&
    !(Number.isInteger(threads) && threads >= 1 && threads <= maxThreads)
  ) {
    throw wanted("threads", `a whole number from 1 to ${maxThreads}`, threads);
  }
  if (context !== undefined && !(Number.isInteger(context) && context >= 1))
    throw wanted("context", "a whole number of 1 or more", context);
  if (compute !== undefined && compute !== "fast" && compute !== "f32")
    throw wanted("compute", "fast or f32", compute);
  if (imageSize !== undefined && !(Number.isInteger(imageSize) && imageSize >= 1))
    throw wanted("imageSize", "a whole number of 1 or more", imageSize);
  if (resize !== undefined && resize !== "pad" && resize !== "crop")
    throw wanted("resize", "pad or crop", resize);
  if (chatStyle !== undefined && !chatStyles.includes(chatStyle))
    throw wanted("chatStyle", chatStyles.join(", "), chatStyle);
}

export interface CheckedAsk {
  system: string | undefined;
  sampling: Sampling;
  exactPreprocess: boolean;
  signals: AbortSignal[];
}

const numbers = [
  "maxTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "seed",
] as const;

export function checkAskOptions(prompt: string, options: AskOptions): CheckedAsk {
  if (typeof prompt !== "string") throw wanted("the question", "a string", prompt);
  const { system, exactPreprocess = false, signal, abortSignal } = options;
  checkSystem(system);
  const sampling: Sampling = {};
  for (const name of numbers) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isFinite(value)) throw wanted(name, "a number", value);
    sampling[name] = value;
  }
  if (options.stop !== undefined) {
    const stop = typeof options.stop === "string" ? [options.stop] : options.stop;
    if (!Array.isArray(stop) || stop.some((item) => typeof item !== "string"))
      throw wanted("stop", "a string or a list of strings", options.stop);
    sampling.stop = stop;
  }
  return {
    system,
    sampling,
    exactPreprocess,
    signals: [signal, abortSignal].filter((item) => item !== undefined && item !== null),
  };
}

export function checkSystem(system: unknown): void {
  if (system !== undefined && typeof system !== "string")
    throw wanted("system", "a string", system);
}

function wanted(what: string, kind: string, found: unknown): TinyVLMError {
  return new TinyVLMError(
    "invalid_argument",
    `wanted ${kind} for ${what}, found ${describe(found)}`,
  );
}
