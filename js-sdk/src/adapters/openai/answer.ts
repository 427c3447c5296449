// What both kinds of requests share between parameters and response: the question is asked, and its
// answer comes whole or as a stream of events.

import type { AnswerStream } from "../../api/stream.js";
import type { Answer, AskOptions, Logprob, ResponseFormat } from "../../api/types.js";
import { askIn, type Said } from "../conversation.js";
import type { AnsweringModel } from "../model.js";
import { withImages } from "./fetch-image.js";
import { isObject, type Json } from "./json.js";
import type { MayFetch } from "./messages.js";
import { invalid, optionalBoolean, optionalObject } from "./parameters.js";
import { refusalOf, type ParameterNames, type Refusal } from "./refusal.js";

/** A request that was read. */
export interface AskRequest {
  said: Said[];
  options: AskOptions;
}

/** How requests are answered. */
export interface Answering {
  model: AnsweringModel;
  /** The model's name in responses. */
  name: string;
  /** Options of every question that the request does not set. */
  defaults: AskOptions;
  /** Whose signal ends the work. */
  request: Request;
  /** Whether an image may be fetched. */
  mayFetch: MayFetch;
  /** Whether that holds for the addresses that redirects lead to, too. */
  checksRedirects: boolean;
}

/** Starts the answer. */
function ask({ said, options }: AskRequest, answering: Answering): AnswerStream {
  const { model, defaults, request } = answering;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const all = { ...defaults, ...Object.fromEntries(given), signal: request.signal };
  const answer = askIn(model, said, all);
  // In Node a Request that nobody holds may be collected, and its signal then never fires.
  const hold = () => request;
  answer.then(hold, hold);
  return answer;
}

/** The format that `format` asks for: `schemaOf` finds the schema in one of type json_schema. */
export function responseFormat(
  format: Json | undefined,
  path: string,
  schemaIn: (format: Json) => Json | undefined,
): ResponseFormat | undefined {
  switch (format?.["type"]) {
    case undefined:
      if (format) throw invalid(`${path}.type`, "text, json_object or json_schema", undefined);
      return undefined;
    case "text":
      return undefined;
    case "json_object":
      return { schema: { type: "object" } };
    case "json_schema": {
      const holder = schemaIn(format);
      const schema = holder && optionalObject(holder, "schema");
      if (!schema) throw invalid(path, "a JSON schema in `schema`", holder);
      return { schema };
    }
    default:
      throw invalid(`${path}.type`, "text, json_object or json_schema", format!["type"]);
  }
}

/** The stop sequences of a request; empty lists are none. */
export function stopOf(value: unknown): string[] | undefined {
  if (value === null || value === undefined) return undefined;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.some((item) => typeof item !== "string" || item === ""))
    throw invalid("stop", "a string of at least one character, or a list of such", value);
  return list.length > 0 ? (list as string[]) : undefined;
}

/** Any whole number as a seed. */
export function seedOf(seed: number | undefined): number | undefined {
  return seed !== undefined && seed < 0 ? seed + 2 ** 53 : seed;
}

/** A token with its probability, as OpenAI's API tells it. */
export function tokenJson({ text, bytes, logprob }: Logprob): Json {
  return { token: text, logprob, bytes: Array.from(bytes) };
}

/** A new name for an answer. */
export function newId(kind: string): string {
  const random = () => Math.floor(Math.random() * 36 ** 8).toString(36);
  return `${kind}${`${random()}${random()}${random()}`.padStart(24, "0").slice(0, 24)}`;
}

/** Now, in seconds. */
export const nowSeconds = () => Math.floor(Date.now() / 1000);

// A comment is sent after so long without an event, so that nothing between takes the connection
// for a dead one.
const keepAliveMs = 10_000;

/** How the answer to one kind of request is told. */
export interface Telling {
  /** The response that has all of it. */
  whole: (answer: Answer) => Response;
  /** The events of a stream, as texts. */
  events: (answer: AnswerStream) => AsyncGenerator<string>;
  /** The event of a failure in the middle of a stream. */
  failure: (refusal: Refusal) => string;
  /** For refusals. */
  params: ParameterNames;
}

/**
 * Answers the request that was read of `body`, whole or as a stream, as its `stream` says. Throws a
 * Refusal, or what the model rejects with.
 */
export async function respond(
  body: Json,
  request: AskRequest,
  answering: Answering,
  { whole, events, failure, params }: Telling,
): Promise<Response> {
  const stream = optionalBoolean(body, "stream") ?? false;
  const { mayFetch, checksRedirects } = answering;
  const { signal } = answering.request;
  const said = checksRedirects
    ? await withImages(request.said, mayFetch, params["messages"]!, signal)
    : request.said;
  const answer = ask({ ...request, said }, answering);
  if (!stream) return whole(await answer);
  return eventStream(events(answer), answer, answering.request, params, failure);
}

/**
 * A response of server-sent events: the texts of `events`. Where the first one is a failure, it is
 * thrown, so that the response has its status; what fails later becomes the event of `failure`.
 * `answer` is cancelled where the client does not read on.
 */
async function eventStream(
  events: AsyncGenerator<string>,
  answer: AnswerStream,
  { signal }: Request,
  params: ParameterNames,
  failure: (refusal: Refusal) => string,
): Promise<Response> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<string>> | undefined = events.next();
  // Long work before the first word shall not look like a dead server: then the status is 200.
  await orAfterAWhile(next);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      next ??= events.next();
      let result: IteratorResult<string> | undefined;
      try {
        result = await orAfterAWhile(next);
      } catch (reason) {
        if (signal.aborted) return controller.error(signal.reason);
        controller.enqueue(encoder.encode(failure(refusalOf(reason, params))));
        return controller.close();
      }
      if (!result) return controller.enqueue(encoder.encode(": keep-alive\n\n"));
      next = undefined;
      if (result.done) controller.close();
      else controller.enqueue(encoder.encode(result.value));
    },
    cancel: () => answer.cancel(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  });
}

async function orAfterAWhile<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), keepAliveMs);
  });
  try {
    return await Promise.race([promise, later]);
  } finally {
    clearTimeout(timer);
  }
}

/** The JSON object of a request's body. */
export async function bodyOf(request: Request): Promise<Json> {
  const text = await request.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (reason) {
    throw invalid("body", `JSON (${(reason as Error).message})`, text);
  }
  if (!isObject(body)) throw invalid("body", "a JSON object", body);
  return body;
}
