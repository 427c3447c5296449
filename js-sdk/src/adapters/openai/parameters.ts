// The parameters of a request, checked: what is known and read, what is ignored because it changes
// nothing here, and what is refused because an answer without it would be another one.

import { didYouMean } from "../../protocol/did-you-mean.js";
import { isObject, type Json } from "./json.js";
import { Refusal } from "./refusal.js";

/** What to do with each parameter that is not read. */
export interface Unread {
  /** Those without a bearing on the answer. */
  ignored: readonly string[];
  /** Those refused, with the reason, unless their value asks for nothing. */
  refused: ReadonlyMap<string, { reason: string; unless?: (value: unknown) => boolean }>;
}

/** Whether a list or an object has nothing in it. */
export const isEmpty = (value: unknown) =>
  typeof value === "object" && Object.keys(value!).length === 0;
const noTools = "This model calls no tools; describe in the message what the answer should be";

/** Those that chat completions and responses have in common. */
export const commonUnread: Unread = {
  ignored: [
    ...["user", "metadata", "store", "service_tier", "safety_identifier", "parallel_tool_calls"],
    ...["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"],
  ],
  refused: new Map([
    ["tools", { reason: noTools, unless: isEmpty }],
    ["tool_choice", { reason: noTools, unless: (value) => value === "none" || value === "auto" }],
    ["moderation", { reason: "This model moderates nothing" }],
  ]),
};

/** Checks names: everything in `body` is in `read` or in `unread`. */
export function checkNames(body: Json, read: readonly string[], unread: Unread): void {
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined || read.includes(name)) continue;
    if (unread.ignored.includes(name)) continue;
    const rule = unread.refused.get(name);
    if (rule?.unless?.(value)) continue;
    if (rule)
      throw new Refusal(
        400,
        `Unsupported parameter: '${name}'. ${rule.reason}.`,
        name,
        "unsupported_parameter",
      );
    throw new Refusal(
      400,
      `Unknown parameter: '${name}'${didYouMean(name, read)}.`,
      name,
      "unknown_parameter",
    );
  }
}

/** The value of parameter `name`; undefined where it is null or missing. */
export function optional<T>(
  body: Json,
  name: string,
  wanted: string,
  fits: (value: unknown) => value is T,
): T | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (!fits(value)) throw invalid(name, wanted, value);
  return value;
}

/** A number from `min` to `max`, a whole one with `whole`. */
export function optionalNumber(
  body: Json,
  name: string,
  min: number,
  max: number,
  whole = false,
): number | undefined {
  const kind = whole ? "a whole number" : "a number";
  const range = max === Infinity ? `of ${min} or more` : `from ${min} to ${max}`;
  return optional(
    body,
    name,
    min === -Infinity ? kind : `${kind} ${range}`,
    (value): value is number =>
      typeof value === "number" &&
      value >= min &&
      value <= max &&
      (!whole || Number.isInteger(value)),
  );
}

/** True or false; undefined where it is null or missing. */
export function optionalBoolean(body: Json, name: string): boolean | undefined {
  return optional(
    body,
    name,
    "true or false",
    (value): value is boolean => typeof value === "boolean",
  );
}

/** A JSON object; undefined where it is null or missing. */
export function optionalObject(body: Json, name: string): Json | undefined {
  return optional(body, name, "an object", isObject);
}

/** A text; undefined where it is null or missing. */
export function optionalString(body: Json, name: string): string | undefined {
  return optional(body, name, "a string", (value): value is string => typeof value === "string");
}

/** The refusal of a value; `path` says where it is. */
export function invalid(path: string, wanted: string, found: unknown): Refusal {
  const text = JSON.stringify(found) ?? "nothing";
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new Refusal(
    400,
    `Invalid '${path}': wanted ${wanted}, found ${shown}.`,
    path,
    "invalid_value",
  );
}
