// `tiny-vlm/openai`: a loaded model behind OpenAI's HTTP API, from Request to Response: as `fetch`
// for OpenAI's own client, and as a handler for servers.

import type { AskOptions } from "../api/types.js";
import { bodyOf, newId, type Answering } from "./openai/answer.js";
import { chatCompletion, chatParams } from "./openai/chat-completions.js";
import type { AnsweringModel } from "./model.js";
import type { MayFetch } from "./openai/messages.js";
import { jsonResponse, type Json } from "./openai/json.js";
import { Refusal, refusalOf, type ParameterNames } from "./openai/refusal.js";
import { response, responseParams } from "./openai/responses.js";

export type { AnsweringModel } from "./model.js";

/** Options of `openaiFetch` and `openaiHandler`. */
export interface OpenAIOptions {
  /**
   * The names by which requests may call the model; the list of models has them. Default: the name
   * that its file gives, `info.name`.
   */
  models?: readonly string[] | undefined;
  /**
   * Options of every question that a request does not set itself. Default: the SDK's own
   * (`temperature` 0), with as many tokens as the context holds.
   */
  defaults?: AskOptions | undefined;
  /**
   * Whether images are fetched from http: and https: addresses in requests, or which of them.
   * Redirects are followed: with a function only to addresses that it allows, too (in pages, which
   * cannot see where they lead, they are refused). Default: true for `openaiFetch`, false for
   * `openaiHandler`, whose clients could otherwise reach what only the server can.
   */
  fetchImages?: boolean | ((url: URL) => boolean) | undefined;
  /**
   * The origins of pages that may use the handler (CORS): a list, or true for all. Default: none
   * but the handler's own.
   */
  cors?: boolean | readonly string[] | undefined;
}

/**
 * A `fetch` that answers with `vlm` what OpenAI's clients ask, without a network:
 * `new OpenAI({ apiKey: "none", fetch: openaiFetch(vlm) })`. Paths that end in /chat/completions,
 * /responses or /models are known, whatever stands before them.
 */
export function openaiFetch(vlm: AnsweringModel, options: OpenAIOptions = {}): typeof fetch {
  const handle = openaiHandler(vlm, { fetchImages: true, ...options });
  return async (input, init) => {
    const request = new Request(input, init);
    const answered = request.signal.aborted ? undefined : await handle(request);
    if (!answered || request.signal.aborted) throw request.signal.reason;
    return answered;
  };
}

/**
 * A function from Request to Response that speaks OpenAI's HTTP API: what Deno.serve, Hono, Next.js
 * routes and service workers call. It never rejects. Requests are answered in the order in which
 * they come.
 */
export function openaiHandler(
  vlm: AnsweringModel,
  options: OpenAIOptions = {},
): (request: Request) => Promise<Response> {
  const { defaults = {}, cors = false, fetchImages = false } = options;
  const models = options.models ?? [vlm.info.name || "tiny-vlm"];
  const mayFetch: MayFetch = typeof fetchImages === "function" ? fetchImages : () => fetchImages;
  const created = Math.floor(Date.now() / 1000);
  const modelJson = (id: string) => ({ id, object: "model", created, owned_by: "tiny-vlm" });
  const named = (name: unknown): string => {
    if (typeof name === "string" && models.includes(name)) return name;
    if (name === undefined || name === null || name === "")
      throw new Refusal(400, "You must provide a model parameter.", "model", "missing_parameter");
    throw new Refusal(
      404,
      `The model ${JSON.stringify(name)} does not exist here; wanted ${models.join(" or ")}.`,
      "model",
      "model_not_found",
    );
  };

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const endpoint = endpoints.find(({ path }) => path.test(pathname));
    const [isList, id] = /\/models(?:\/([^/]+))?\/?$/.exec(pathname) ?? [];
    if (!endpoint && !isList)
      throw new Refusal(404, `Invalid URL (${request.method} ${pathname}).`);
    const method = endpoint ? "POST" : "GET";
    if (request.method !== method)
      throw new Refusal(405, `Wanted ${method} ${pathname}, found ${request.method}.`);
    if (!endpoint)
      return jsonResponse(
        id === undefined
          ? { object: "list", data: models.map(modelJson) }
          : modelJson(named(decodeURIComponent(id))),
      );
    const body = await bodyOf(request);
    const name = named(body["model"]);
    try {
      return await endpoint.work(body, {
        ...{ model: vlm, name, defaults, request, mayFetch },
        checksRedirects: typeof fetchImages === "function",
      });
    } catch (reason) {
      throw refusalOf(reason, endpoint.params);
    }
  }

  return async (request) => {
    const allowed = allowedOrigin(request, cors);
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method"))
      return new Response(null, { status: 204, headers: preflight(request, allowed) });
    let answered: Response;
    try {
      answered = await answer(request);
    } catch (reason) {
      answered = refusalOf(reason, {}).response();
    }
    answered.headers.set("x-request-id", newId("req_"));
    for (const [name, value] of Object.entries(allowed)) answered.headers.set(name, value);
    return answered;
  };
}

interface Endpoint {
  path: RegExp;
  work: (body: Json, answering: Answering) => Promise<Response>;
  params: ParameterNames;
}
const endpoints: readonly Endpoint[] = [
  { path: /\/chat\/completions\/?$/, work: chatCompletion, params: chatParams },
  { path: /\/responses\/?$/, work: response, params: responseParams },
];

function allowedOrigin(
  request: Request,
  cors: boolean | readonly string[],
): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null || cors === false) return {};
  const exposed = { "access-control-expose-headers": "x-request-id, x-should-retry" };
  if (cors === true) return { "access-control-allow-origin": "*", ...exposed };
  if (!cors.includes(origin)) return { vary: "Origin" };
  return { "access-control-allow-origin": origin, vary: "Origin", ...exposed };
}

function preflight(request: Request, allowed: Record<string, string>): Record<string, string> {
  return {
    ...allowed,
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers":
      request.headers.get("access-control-request-headers") ?? "authorization, content-type",
    "access-control-max-age": "86400",
  };
}
