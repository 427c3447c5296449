// Options as callers give them: names, types and ranges are checked here, by the generated table,
// before any work is done. What depends on the model is checked by the engine.

import { TinyVLMError } from "../protocol/errors.js";
import {
  askRules,
  loadRules,
  samplingKeys,
  sessionKeys,
  type OptionRule,
} from "../protocol/option-rules.generated.js";
import type { Sampling, SessionSettings } from "../protocol/options.generated.js";
import { didYouMean } from "../protocol/did-you-mean.js";
import { describe } from "./sources.js";
import type { AskOptions, ChatOptions, EmbedOptions, LoadOptions, PastMessage } from "./types.js";

/** Checks the options of `load`; returns those that the engine reads. */
export function checkLoadOptions(options: LoadOptions): SessionSettings {
  checkOptions(options, loadRules);
  return pick(options, sessionKeys);
}

export interface CheckedAsk {
  system: string | undefined;
  sampling: Sampling;
  exactPreprocess: boolean;
  strict: boolean;
  signals: AbortSignal[];
}

/** Checks a question and its options; returns them sorted by who reads them. */
export function checkAskOptions(prompt: string, options: AskOptions): CheckedAsk {
  if (typeof prompt !== "string") throw wanted("the question", "a string", prompt);
  checkOptions(options, askRules);
  const { system, stop, exactPreprocess = false, strict = false, signal, abortSignal } = options;
  return {
    system,
    sampling: pick({ ...options, stop: typeof stop === "string" ? [stop] : stop }, samplingKeys),
    exactPreprocess,
    strict,
    signals: [signal, abortSignal].filter((item) => item !== undefined && item !== null),
  };
}

/** Checks the options of `embed`. */
export function checkEmbedOptions(options: EmbedOptions): void {
  const { signal, exactPreprocess, strict } = askRules;
  checkOptions(options, { rows: { type: "boolean" }, signal, exactPreprocess, strict });
}

/** Checks the options of `chat`. */
export function checkChatOptions(options: ChatOptions): void {
  checkOptions(options, { system: askRules.system, messages: { type: "other" } });
  const { messages = [] } = options;
  const isMessage = (item?: PastMessage) =>
    typeof item?.content === "string" && Array.isArray(item.images ?? []);
  if (!Array.isArray(messages) || !messages.every(isMessage))
    throw wanted("messages", "a list of { role, content, images }", messages);
}

/**
 * Throws `invalid_argument` where `value` is not what `rule` wants; the message calls the option
 * `name`.
 */
export function checkOption(name: string, rule: OptionRule, value: unknown): void {
  switch (rule.type) {
    case "integer":
    case "number": {
      if (typeof value !== "number" || !Number.isFinite(value))
        throw wanted(name, "a number", value);
      const { type, min, max } = rule;
      if (value >= min && value <= max && (type === "number" || Number.isInteger(value))) return;
      const range = max === Infinity ? ` of ${min} or more` : ` from ${min} to ${max}`;
      throw wanted(name, (type === "number" ? "a number" : "a whole number") + range, value);
    }
    case "choice":
      if (rule.choices.includes(value as string)) return;
      throw wanted(
        name,
        `${rule.choices.slice(0, -1).join(", ")} or ${rule.choices.at(-1)}`,
        value,
      );
    case "boolean":
      if (typeof value !== "boolean") throw wanted(name, "true or false", value);
      return;
    case "string":
      if (typeof value !== "string") throw wanted(name, "a string", value);
      return;
    case "strings": {
      const list: unknown = typeof value === "string" ? [value] : value;
      if (!Array.isArray(list) || list.some((item) => typeof item !== "string"))
        throw wanted(name, "a string or a list of strings", value);
      return;
    }
    case "other":
  }
}

/**
 * Throws `invalid_argument` for an option that `rules` do not name, or whose value they do not
 * allow. An option that is undefined is one that was left out.
 */
export function checkOptions(options: object, rules: Readonly<Record<string, OptionRule>>): void {
  if (typeof options !== "object" || options === null)
    throw wanted("the options", "an object", options);
  const known = Object.keys(rules);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!known.includes(name))
      throw new TinyVLMError(
        "invalid_argument",
        `unknown option ${name}${didYouMean(name, known) || `; known are ${known.join(", ")}`}`,
      );
    checkOption(name, rules[name]!, value);
  }
}

function pick<T, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]),
  ) as Pick<T, K>;
}

function wanted(what: string, kind: string, found: unknown): TinyVLMError {
  return new TinyVLMError(
    "invalid_argument",
    `wanted ${kind} for ${what}, found ${describe(found)}`,
  );
}
