// `tiny-vlm/ai-sdk`: a loaded model as a language model of the AI SDK, by its specifications v3
// (packages ai 6 and 7) and v2 (ai 5).

import type { AnswerStream } from "../api/stream.js";
import type { Answer, AskOptions, ImageInput, ResponseFormat } from "../api/types.js";
import { UnsupportedFunctionalityError } from "./ai-sdk/errors.js";
import type {
  CallOptions,
  FileData,
  Finish,
  FinishV2,
  GenerateResult,
  JsonValue,
  PromptMessage,
  PromptPart,
  ProviderMetadata,
  StreamPart,
  TinyVLMLanguageModel,
  TinyVLMLanguageModelV2,
  Warning,
  WarningV2,
} from "./ai-sdk/types.js";
import { bytesOfBase64, bytesOfDataUrl } from "./base64.js";
import { askIn, type Said } from "./conversation.js";
import type { AnsweringModel } from "./model.js";

export type { AnsweringModel } from "./model.js";
export type * from "./ai-sdk/types.js";

/** Options of `tinyVLM`. */
export interface LanguageModelOptions {
  /** The specification that the model follows: that of the packages ai 6 and 7. */
  specification?: "v3" | undefined;
  /** Options of every question that a call does not set itself. Default: the SDK's own. */
  defaults?: AskOptions | undefined;
}

/** Options of `tinyVLM` for the package ai 5. */
export interface LanguageModelOptionsV2 {
  /** The specification that the model follows. */
  specification: "v2";
  /** Options of every question that a call does not set itself. Default: the SDK's own. */
  defaults?: AskOptions | undefined;
}

const provider = "tiny-vlm";

/**
 * A loaded model as the AI SDK wants one: `generateText({ model: tinyVLM(vlm), prompt })`. Options
 * of `vlm.ask` that the AI SDK does not know go into `providerOptions["tiny-vlm"]`. Calls fail with
 * a TinyVLMError, and with an UnsupportedFunctionalityError where the prompt has tools or files
 * other than images.
 */
export function tinyVLM(vlm: AnsweringModel, options?: LanguageModelOptions): TinyVLMLanguageModel;
/** The same for ai 5. */
export function tinyVLM(
  vlm: AnsweringModel,
  options: LanguageModelOptionsV2,
): TinyVLMLanguageModelV2;
export function tinyVLM(
  vlm: AnsweringModel,
  { specification = "v3", defaults = {} }: LanguageModelOptions | LanguageModelOptionsV2 = {},
): TinyVLMLanguageModel | TinyVLMLanguageModelV2 {
  const head = {
    provider,
    modelId: vlm.info.name || provider,
    // None: the AI SDK fetches what has an address, and checks it.
    supportedUrls: {},
  };
  if (specification === "v2")
    return { ...head, specificationVersion: "v2", ...calls(vlm, defaults, warningV2, finishV2) };
  return { ...head, specificationVersion: "v3", ...calls(vlm, defaults, (one) => one, finish) };
}

// The two calls, given how warnings and ends are told.
function calls<ToldWarning, ToldFinish>(
  vlm: AnsweringModel,
  defaults: AskOptions,
  warn: (warning: Warning) => ToldWarning,
  finishOf: (answer: Answer) => ToldFinish,
) {
  const start = (call: CallOptions) => {
    const warnings = warningsOf(call).map(warn);
    const answer = askIn(vlm, saidIn(call.prompt), { ...defaults, ...optionsOf(call) });
    const response = { modelId: vlm.info.name || provider, timestamp: new Date() };
    return { warnings, answer, response };
  };
  return {
    async doGenerate(call: CallOptions): Promise<GenerateResult<ToldWarning, ToldFinish>> {
      const { warnings, answer: stream, response } = start(call);
      const answer = await stream;
      return {
        content: [{ type: "text", text: answer.text }],
        ...finishOf(answer),
        providerMetadata: metadata(answer),
        response,
        warnings,
      };
    },
    async doStream(
      call: CallOptions,
    ): Promise<{ stream: ReadableStream<StreamPart<ToldWarning, ToldFinish>> }> {
      const { warnings, answer, response } = start(call);
      const parts = partsOf<ToldWarning, ToldFinish>(answer, finishOf);
      // What fails before the first word fails here, as with a server.
      const first = await parts.next();
      let begun = false;
      const stream = new ReadableStream<StreamPart<ToldWarning, ToldFinish>>({
        async pull(controller) {
          if (!begun) {
            begun = true;
            controller.enqueue({ type: "stream-start", warnings });
            controller.enqueue({ type: "response-metadata", ...response });
            return controller.enqueue(first.value!);
          }
          try {
            const { done, value } = await parts.next();
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            if (call.abortSignal?.aborted) return controller.error(error);
            controller.enqueue({ type: "error", error });
            controller.close();
          }
        },
        cancel: () => answer.cancel(),
      });
      return { stream };
    },
  };
}

async function* partsOf<ToldWarning, ToldFinish>(
  answer: AnswerStream,
  finishOf: (answer: Answer) => ToldFinish,
): AsyncGenerator<StreamPart<ToldWarning, ToldFinish>, undefined> {
  const id = "0";
  const pieces = answer[Symbol.asyncIterator]();
  let piece = await pieces.next();
  yield { type: "text-start", id };
  for (; !piece.done; piece = await pieces.next())
    yield { type: "text-delta", id, delta: piece.value };
  yield { type: "text-end", id };
  const whole = await answer;
  yield { type: "finish", ...finishOf(whole), providerMetadata: metadata(whole) };
  return undefined;
}

function finish({ finishReason, usage }: Answer): Finish {
  const { promptTokens, reusedTokens, completionTokens } = usage;
  return {
    finishReason: {
      unified: finishReason === "cancelled" ? "other" : finishReason,
      raw: finishReason,
    },
    usage: {
      inputTokens: {
        total: promptTokens,
        noCache: promptTokens - reusedTokens,
        cacheRead: reusedTokens,
        cacheWrite: undefined,
      },
      outputTokens: { total: completionTokens, text: completionTokens, reasoning: undefined },
      raw: { ...usage },
    },
  };
}

function finishV2({ finishReason, usage }: Answer): FinishV2 {
  const { promptTokens, reusedTokens, completionTokens } = usage;
  return {
    finishReason: finishReason === "cancelled" ? "other" : finishReason,
    usage: {
      inputTokens: promptTokens,
      outputTokens: completionTokens,
      totalTokens: promptTokens + completionTokens,
      cachedInputTokens: reusedTokens,
    },
  };
}

const warningV2 = ({ feature, details }: Warning): WarningV2 => {
  return { type: "unsupported-setting", setting: feature, details };
};

// How it was computed, beside what every model tells.
function metadata({ timings, variant, threads, ...answer }: Answer): ProviderMetadata {
  const logprobs = "logprobs" in answer ? { logprobs: answer.logprobs } : {};
  const told = { timings: { ...timings }, variant, threads, ...logprobs };
  return { [provider]: JSON.parse(JSON.stringify(told)) as Record<string, JsonValue> };
}

function warningsOf({ reasoning = "none" }: CallOptions): Warning[] {
  if (reasoning === "none" || reasoning === "provider-default") return [];
  return [
    { type: "unsupported", feature: "reasoning", details: "this model answers without reasoning" },
  ];
}

function optionsOf(call: CallOptions): AskOptions {
  const { tools = [], toolChoice, responseFormat } = call;
  if (tools.length > 0 && toolChoice?.type !== "none")
    throw new UnsupportedFunctionalityError("tools", "this model calls no tools");
  const given = {
    maxTokens: call.maxOutputTokens,
    temperature: call.temperature,
    topP: call.topP,
    topK: call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    stop: call.stopSequences && call.stopSequences.length > 0 ? call.stopSequences : undefined,
    seed: call.seed,
    responseFormat: formatOf(responseFormat),
    signal: call.abortSignal,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...call.providerOptions?.[provider], ...Object.fromEntries(set) };
}

function formatOf(format: CallOptions["responseFormat"]): ResponseFormat | undefined {
  return format?.type === "json" ? { schema: format.schema ?? { type: "object" } } : undefined;
}

function saidIn(prompt: readonly PromptMessage[]): Said[] {
  return prompt.map((message): Said => {
    const { role, content } = message;
    if (role === "tool") throw new UnsupportedFunctionalityError("results of tools");
    if (typeof content === "string") return { role, text: content, images: [] };
    const parts = content.map((part) => partIn(part, role));
    return {
      role,
      text: parts.flatMap((part) => ("text" in part ? [part.text] : [])).join("\n"),
      images: parts.flatMap((part) => ("image" in part ? [part.image] : [])),
    };
  });
}

function partIn(part: PromptPart, role: string): { text: string } | { image: ImageInput } | object {
  switch (part.type) {
    case "text":
      return { text: part.text ?? "" };
    case "reasoning":
      return {}; // of another model, in an earlier turn
    case "file":
      if (role === "user" && /^image(\/|$)/i.test(part.mediaType ?? ""))
        return { image: imageIn(part.data) };
      throw new UnsupportedFunctionalityError(
        `files of type ${part.mediaType} in messages of the ${role}`,
      );
    default:
      throw new UnsupportedFunctionalityError(`parts of type ${part.type}`);
  }
}

function imageIn(data: FileData | undefined): ImageInput {
  if (typeof data === "string") {
    if (/^https?:/i.test(data)) return data;
    return bytesOfDataUrl(data, "an image") ?? bytesOfBase64(data, "an image");
  }
  if (data instanceof URL) return data;
  // By name, because arrays of another realm have other classes.
  if (Object.prototype.toString.call(data) === "[object Uint8Array]") return data as Uint8Array;
  throw new UnsupportedFunctionalityError("files that are kept by a provider, or are text");
}
