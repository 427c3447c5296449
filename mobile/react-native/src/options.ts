// Options as callers give them, checked by the SDK's rules, as the native side takes them.

import { deliveryOf } from "../../../js-sdk/src/api/delivery.js";
import { checkAskOptions, checkOptions } from "../../../js-sdk/src/api/options.js";
import { describe, hubAddress } from "../../../js-sdk/src/api/sources.js";
import { defaultHubUrl } from "../../../js-sdk/src/api/platform.js";
import { TinyVLMError } from "../../../js-sdk/src/protocol/errors.js";
import { loadRules } from "../../../js-sdk/src/protocol/option-rules.generated.js";
import type { ResponseFormat } from "../../../js-sdk/src/protocol/response-format.js";
import type { NativeAskOptions, NativeLoadOptions, NativeSource } from "./bridge.js";
import type { AskOptions, LoadOptions, ModelSource } from "./types.js";

const { onProgress, signal, headers, stallTimeout, hubUrl } = loadRules;
const { threads, context, imageSize, resize, chatStyle, compute } = loadRules;
const engineRules = { threads, context, imageSize, resize, chatStyle, compute };

/** Checks the options of `load`; returns those of the engine. */
export function checkLoadOptions(options: LoadOptions): NativeLoadOptions {
  checkOptions(options, { onProgress, signal, headers, stallTimeout, hubUrl, ...engineRules });
  const given = Object.entries(options).filter(
    ([name, value]) => name in engineRules && value !== undefined,
  );
  return Object.fromEntries(given) as NativeLoadOptions;
}

/** Checks a question and its options; returns those of the engine, and the signals that end it. */
export function askOptionsOf(
  prompt: string,
  options: AskOptions,
): { native: NativeAskOptions; signals: AbortSignal[] } {
  const { signals, system, sampling, exactPreprocess, strict } = checkAskOptions(prompt, options);
  const { responseFormat, ...numbers } = sampling;
  // A double, which is what crosses, has no larger whole numbers without gaps.
  if (numbers.seed !== undefined && numbers.seed > Number.MAX_SAFE_INTEGER)
    throw new TinyVLMError(
      "invalid_argument",
      `wanted a seed of at most ${Number.MAX_SAFE_INTEGER}, found ${numbers.seed}`,
    );
  const native: NativeAskOptions = {
    ...numbers,
    ...(responseFormat === undefined ? {} : formatOf(responseFormat)),
    ...(system === undefined ? {} : { system }),
    exactPreprocess,
    strict,
  };
  return { native, signals };
}

function formatOf(
  format: ResponseFormat,
): Pick<NativeAskOptions, "schema" | "choices" | "pattern"> {
  const { schema, choices, pattern } = Object(format) as Record<string, unknown>;
  const wrong = (kind: string, found: unknown, cause?: unknown) =>
    new TinyVLMError(
      "invalid_argument",
      `responseFormat: wanted ${kind}, found ${describe(found)}`,
      {
        cause,
      },
    );
  const keys = Object.keys(Object(format) as object);
  if (keys.length !== 1) throw wrong("one of { schema }, { choices } and { pattern }", format);
  if (typeof pattern === "string") return { pattern };
  if (Array.isArray(choices) && choices.every((choice) => typeof choice === "string"))
    return { choices: choices as string[] };
  if ((typeof schema === "object" && schema !== null) || typeof schema === "boolean")
    try {
      return { schema: JSON.stringify(schema) };
    } catch (cause) {
      throw wrong("a schema that is JSON", schema, cause);
    }
  throw wrong("one of { schema }, { choices } and { pattern }", format);
}

/** Where the native side finds the model. */
export function sourceOf(source: ModelSource, options: LoadOptions): NativeSource {
  const url = addressOf(source, options);
  if (/^https?:/i.test(url)) {
    const delivery = { headers: options.headers, stallTimeout: options.stallTimeout };
    return { kind: "download", url, ...checkedDelivery(delivery) };
  }
  if (url.startsWith("asset:")) return { kind: "asset", name: url.slice("asset:".length) };
  if (url.startsWith("content:")) return { kind: "content", uri: url };
  if (/^(file:\/\/|\/)/.test(url)) return { kind: "file", path: pathOf(url) };
  throw new TinyVLMError(
    "invalid_argument",
    "wanted a model by its address (https:, hf:, file:, asset: or content:) or its absolute " +
      `path, found ${url}`,
  );
}

/** The address that a model has, with `hf:` written out. */
export function addressOf(source: ModelSource, { hubUrl }: LoadOptions = {}): string {
  if (typeof source !== "string" && !(source instanceof URL))
    throw new TinyVLMError(
      "invalid_argument",
      "wanted the address of a model file, or the absolute path of one, found " + describe(source),
    );
  const url = String(source);
  if (!url.startsWith("hf:")) return url;
  if (url.split("/").length < 3)
    throw new TinyVLMError(
      "unsupported",
      `${url} is a checkpoint, and phones convert none: convert it before ` +
        "(`tiny-vlm convert`) and give the address of the model file",
    );
  return hubAddress(url, String(hubUrl ?? defaultHubUrl).replace(/\/$/, ""));
}

function checkedDelivery(options: Pick<LoadOptions, "headers" | "stallTimeout">) {
  const { headers, stallTimeout } = deliveryOf(options, [], undefined, "");
  return { headers, stallTimeout };
}

// Pickers give addresses with and without escapes.
function pathOf(url: string): string {
  if (url.startsWith("/")) return url;
  const path = url.slice("file://".length);
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
