// POST /chat/completions.

import type { AnswerStream } from "../../api/stream.js";
import type { Answer } from "../../api/types.js";
import {
  newId,
  nowSeconds,
  respond,
  responseFormat,
  seedOf,
  stopOf,
  tokenJson,
  type Answering,
  type AskRequest,
} from "./answer.js";
import { jsonResponse, type Json } from "./json.js";
import { readMessages, type MayFetch } from "./messages.js";
import {
  checkNames,
  commonUnread,
  invalid,
  isEmpty,
  optionalBoolean,
  optionalNumber,
  optionalObject,
  type Unread,
} from "./parameters.js";
import { Refusal, type ParameterNames } from "./refusal.js";

// The last four are not OpenAI's, but many servers' names for them.
const read = [
  ...["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"],
  ...["temperature", "top_p", "frequency_penalty", "presence_penalty", "stop", "seed"],
  ...["response_format", "logprobs", "top_logprobs"],
  ...["top_k", "min_p", "repetition_penalty", "no_repeat_ngram_size"],
];

const unread: Unread = {
  ignored: commonUnread.ignored,
  refused: new Map([
    ...commonUnread.refused,
    ["n", { reason: "Each request has one answer", unless: (value) => value === 1 }],
    ["logit_bias", { reason: "Single tokens cannot be favoured", unless: isEmpty }],
    [
      "modalities",
      { reason: "Answers are texts", unless: (value) => JSON.stringify(value) === '["text"]' },
    ],
    ["audio", { reason: "Answers are texts" }],
    ["prediction", { reason: "Predicted outputs are not used" }],
    ["functions", { reason: "This model calls no functions", unless: isEmpty }],
    [
      "function_call",
      { reason: "This model calls no functions", unless: (value) => value === "none" },
    ],
    ["reasoning_effort", { reason: "This model does not reason" }],
    ["verbosity", { reason: "Say in the message how long the answer should be" }],
    ["web_search_options", { reason: "This model searches nothing" }],
  ]),
};

/** For refusals. */
export const chatParams: ParameterNames = {
  messages: "messages",
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
  noRepeatNgram: "no_repeat_ngram_size",
  frequencyPenalty: "frequency_penalty",
  presencePenalty: "presence_penalty",
  stop: "stop",
  seed: "seed",
  responseFormat: "response_format",
  logprobs: "logprobs",
};

/** Answers a request for a chat completion. Throws a Refusal, or what the model rejects with. */
export async function chatCompletion(body: Json, answering: Answering): Promise<Response> {
  checkNames(body, read, unread);
  const request = readRequest(body, answering.mayFetch);
  const streamOptions = optionalObject(body, "stream_options") ?? {};
  const wantsUsage = optionalBoolean(streamOptions, "include_usage") ?? false;
  if (body["stream_options"] && !optionalBoolean(body, "stream"))
    throw new Refusal(
      400,
      "The 'stream_options' parameter is only allowed when 'stream' is true.",
      "stream_options",
      "invalid_value",
    );
  const { model, name } = answering;
  const head = {
    id: newId("chatcmpl-"),
    created: nowSeconds(),
    model: name,
    service_tier: "default",
    system_fingerprint: `tiny-vlm-${model.variant}`,
  };
  return respond(body, request, answering, {
    whole: (answer) => whole(answer, head),
    events: (answer) => chunks(answer, head, wantsUsage),
    failure: (refusal) => event(refusal.body),
    params: chatParams,
  });
}

function readRequest(body: Json, mayFetch: MayFetch): AskRequest {
  const said = readMessages(body["messages"], "messages", mayFetch);
  const limits = ["max_tokens", "max_completion_tokens"].map((name) =>
    optionalNumber(body, name, 1, 2 ** 31 - 1, true),
  );
  const [limit, other] = limits.filter((number) => number !== undefined);
  if (other !== undefined && other !== limit)
    throw invalid("max_tokens", "the same as max_completion_tokens, or nothing", limit);
  const withLogprobs = optionalBoolean(body, "logprobs") ?? false;
  const top = optionalNumber(body, "top_logprobs", 0, 20, true);
  if (top !== undefined && !withLogprobs)
    throw new Refusal(
      400,
      "The 'top_logprobs' parameter is only allowed when 'logprobs' is true.",
      "top_logprobs",
      "invalid_value",
    );
  return {
    said,
    options: {
      maxTokens: limit,
      temperature: optionalNumber(body, "temperature", 0, 2),
      topP: optionalNumber(body, "top_p", 0, 1),
      topK: optionalNumber(body, "top_k", 0, 2 ** 31 - 1, true),
      minP: optionalNumber(body, "min_p", 0, 1),
      repetitionPenalty: optionalNumber(body, "repetition_penalty", 0.001, 1000),
      noRepeatNgram: optionalNumber(body, "no_repeat_ngram_size", 0, 2 ** 31 - 1, true),
      frequencyPenalty: optionalNumber(body, "frequency_penalty", -2, 2),
      presencePenalty: optionalNumber(body, "presence_penalty", -2, 2),
      stop: stopOf(body["stop"]),
      seed: seedOf(optionalNumber(body, "seed", -Infinity, Infinity, true)),
      responseFormat: responseFormat(
        optionalObject(body, "response_format"),
        "response_format",
        (format) => optionalObject(format, "json_schema"),
      ),
      logprobs: withLogprobs ? (top ?? 0) : undefined,
    },
  };
}

// Cancelled ones do not get this far, except by whoever reads no further.
const finishReasons = { stop: "stop", length: "length", cancelled: "stop" } as const;

function usageJson({ usage }: Answer): Json {
  const { promptTokens, completionTokens, reusedTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: reusedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function logprobsJson(answer: Answer): Json | null {
  const tokens = answer.logprobs;
  if (!tokens) return null;
  const content = tokens.map((token) => {
    return { ...tokenJson(token), top_logprobs: token.top.map(tokenJson) };
  });
  return { content, refusal: null };
}

function whole(answer: Answer, head: Json): Response {
  const message = { role: "assistant", content: answer.text, refusal: null, annotations: [] };
  return jsonResponse({
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message,
        logprobs: logprobsJson(answer),
        finish_reason: finishReasons[answer.finishReason],
      },
    ],
    usage: usageJson(answer),
  });
}

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

async function* chunks(
  stream: AnswerStream,
  head: Json,
  wantsUsage: boolean,
): AsyncGenerator<string> {
  const chunk = (choices: object[], usage: Json | null = null) =>
    event({
      ...head,
      object: "chat.completion.chunk",
      choices,
      ...(wantsUsage ? { usage } : {}),
    });
  const delta = (said: object, finish: string | null = null, logprobs: Json | null = null) =>
    chunk([{ index: 0, delta: said, logprobs, finish_reason: finish }]);
  // An error before the first word is not one of the stream.
  const pieces = stream[Symbol.asyncIterator]();
  let piece = await pieces.next();
  yield delta({ role: "assistant", content: "", refusal: null });
  for (; !piece.done; piece = await pieces.next()) yield delta({ content: piece.value });
  const answer = await stream;
  yield delta({}, finishReasons[answer.finishReason], logprobsJson(answer));
  if (wantsUsage) yield chunk([], usageJson(answer));
  yield "data: [DONE]\n\n";
}
