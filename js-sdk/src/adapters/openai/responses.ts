// POST /responses.

import type { AnswerStream } from "../../api/stream.js";
import type { Answer } from "../../api/types.js";
import {
  newId,
  nowSeconds,
  respond,
  responseFormat,
  tokenJson,
  type Answering,
  type AskRequest,
} from "./answer.js";
import { jsonResponse, type Json } from "./json.js";
import { readMessages, type MayFetch } from "./messages.js";
import {
  checkNames,
  commonUnread,
  isEmpty,
  optional,
  optionalNumber,
  optionalObject,
  optionalString,
  type Unread,
} from "./parameters.js";
import type { ParameterNames } from "./refusal.js";

const read = [
  ...["model", "input", "instructions", "max_output_tokens", "temperature", "top_p"],
  ...["stream", "text", "top_logprobs", "include"],
];

const noMemory = "Nothing is kept between requests: send the whole conversation as 'input'";

const unread: Unread = {
  // Without tools there is nothing that their number could limit.
  ignored: [...commonUnread.ignored, "max_tool_calls", "stream_options"],
  refused: new Map([
    ...commonUnread.refused,
    ["previous_response_id", { reason: noMemory }],
    ["conversation", { reason: noMemory }],
    ["prompt", { reason: "No prompts are kept here: send the text as 'input'" }],
    ["background", { reason: "Answers are given at once", unless: (value) => value === false }],
    ["context_management", { reason: "Nothing is left out of a conversation", unless: isEmpty }],
    [
      "truncation",
      {
        reason: "Nothing is left out of a conversation",
        unless: (value) => value === "disabled",
      },
    ],
    ["reasoning", { reason: "This model does not reason", unless: isEmpty }],
  ]),
};

/** For refusals. */
export const responseParams: ParameterNames = {
  messages: "input",
  maxTokens: "max_output_tokens",
  temperature: "temperature",
  topP: "top_p",
  responseFormat: "text.format",
  logprobs: "top_logprobs",
};

/** Answers a request for a response. Throws a Refusal, or what the model rejects with. */
export async function response(body: Json, answering: Answering): Promise<Response> {
  checkNames(body, read, unread);
  const request = readRequest(body, answering.mayFetch);
  const told = new ToldResponse(body, answering.name);
  return respond(body, request, answering, {
    whole: (answer) => jsonResponse(told.ended(answer)),
    events: (answer) => events(answer, told),
    failure: ({ code, message, param, body: refused }) =>
      // The fields of the body are where the clients look for them.
      told.event("error", { code, message, param, ...refused }),
    params: responseParams,
  });
}

function readRequest(body: Json, mayFetch: MayFetch): AskRequest {
  const { input } = body;
  const instructions = optionalString(body, "instructions");
  const said = readMessages(
    typeof input === "string" ? [{ role: "user", content: input }] : input,
    "input",
    mayFetch,
  );
  if (instructions !== undefined) said.unshift({ role: "system", text: instructions, images: [] });
  const include = optional(body, "include", "a list", (value): value is unknown[] =>
    Array.isArray(value),
  );
  const text = optionalObject(body, "text") ?? {};
  checkNames(text, ["format"], {
    ignored: [],
    refused: new Map([
      ["verbosity", { reason: "Say in the message how long the answer should be" }],
    ]),
  });
  const top = optionalNumber(body, "top_logprobs", 0, 20, true);
  return {
    said,
    options: {
      maxTokens: optionalNumber(body, "max_output_tokens", 1, 2 ** 31 - 1, true),
      temperature: optionalNumber(body, "temperature", 0, 2),
      topP: optionalNumber(body, "top_p", 0, 1),
      responseFormat: responseFormat(
        optionalObject(text, "format"),
        "text.format",
        (format) => format,
      ),
      logprobs: include?.includes("message.output_text.logprobs") ? (top ?? 0) : undefined,
    },
  };
}

/** The object that a response is, from its beginning to its end, and the events about it. */
class ToldResponse {
  readonly #head: Json;
  readonly itemId = newId("msg_");
  #events = 0;

  constructor(body: Json, model: string) {
    this.#head = {
      id: newId("resp_"),
      object: "response",
      created_at: nowSeconds(),
      background: false,
      error: null,
      incomplete_details: null,
      instructions: body["instructions"] ?? null,
      max_output_tokens: body["max_output_tokens"] ?? null,
      metadata: body["metadata"] ?? {},
      model,
      parallel_tool_calls: false,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      service_tier: "default",
      store: false,
      temperature: body["temperature"] ?? null,
      text: { format: { type: "text" }, ...(body["text"] as Json | undefined) },
      tool_choice: "none",
      tools: [],
      top_p: body["top_p"] ?? null,
      truncation: "disabled",
      user: body["user"] ?? null,
    };
  }

  event(type: string, data: Json): string {
    const json = JSON.stringify({ type, sequence_number: this.#events++, ...data });
    return `event: ${type}\ndata: ${json}\n\n`;
  }

  begun(): Json {
    return { ...this.#head, status: "in_progress", output: [], usage: null };
  }

  item(status: string, content: Json[]): Json {
    return { id: this.itemId, type: "message", status, role: "assistant", content };
  }

  part(text: string, logprobs: Json[] = []): Json {
    return { type: "output_text", text, annotations: [], logprobs };
  }

  ended(answer: Answer): Json {
    const { promptTokens, completionTokens, reusedTokens } = answer.usage;
    const status = this.statusOf(answer);
    return {
      ...this.#head,
      status,
      completed_at: nowSeconds(),
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      output: [this.item(status, [this.part(answer.text, tokensJson(answer))])],
      usage: {
        input_tokens: promptTokens,
        input_tokens_details: { cached_tokens: reusedTokens },
        output_tokens: completionTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: promptTokens + completionTokens,
      },
    };
  }

  statusOf({ finishReason }: Answer): "completed" | "incomplete" {
    return finishReason === "length" ? "incomplete" : "completed";
  }
}

function tokensJson(answer: Answer): Json[] {
  return (answer.logprobs ?? []).map((token) => {
    return { ...tokenJson(token), top_logprobs: token.top.map(tokenJson) };
  });
}

async function* events(stream: AnswerStream, told: ToldResponse): AsyncGenerator<string> {
  // An error before the first word is not one of the stream.
  const pieces = stream[Symbol.asyncIterator]();
  let piece = await pieces.next();
  const item = { output_index: 0, item_id: told.itemId };
  const part = { ...item, content_index: 0 };
  yield told.event("response.created", { response: told.begun() });
  yield told.event("response.in_progress", { response: told.begun() });
  yield told.event("response.output_item.added", {
    output_index: 0,
    item: told.item("in_progress", []),
  });
  yield told.event("response.content_part.added", { ...part, part: told.part("") });
  for (; !piece.done; piece = await pieces.next())
    yield told.event("response.output_text.delta", { ...part, delta: piece.value, logprobs: [] });
  const answer = await stream;
  const { text } = answer;
  const logprobs = tokensJson(answer);
  const whole = told.part(text, logprobs);
  const status = told.statusOf(answer);
  yield told.event("response.output_text.done", { ...part, text, logprobs });
  yield told.event("response.content_part.done", { ...part, part: whole });
  yield told.event("response.output_item.done", {
    output_index: 0,
    item: told.item(status, [whole]),
  });
  yield told.event(`response.${status}`, { response: told.ended(answer) });
}
