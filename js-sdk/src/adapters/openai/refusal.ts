// Errors in the form of OpenAI's API.

import { asTinyVLMError, type ErrorCode, type TinyVLMError } from "../../protocol/errors.js";
import { jsonResponse } from "./json.js";

/** A request that is not answered; `code` and `param` are OpenAI's. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly param: string | null = null,
    readonly code: string | null = null,
  ) {
    super(message);
  }

  /** What the response, or an event of a stream, says. */
  get body(): { error: object } {
    const { message, param, code } = this;
    const type = this.status >= 500 ? "server_error" : "invalid_request_error";
    return { error: { message, type, param, code } };
  }

  /** The whole response. Trying again would change nothing. */
  response(): Response {
    const response = jsonResponse(this.body, this.status);
    response.headers.set("x-should-retry", "false");
    return response;
  }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  invalid_image: 400,
  context_full: 400,
  unsupported: 400,
  // Those of an image's address.
  not_found: 400,
  http: 400,
  network: 400,
  io: 400,
  out_of_memory: 503,
  not_ready: 503,
  aborted: 503,
};

/** The names of a request's parameters by those of our options; `messages` has the images. */
export type ParameterNames = Readonly<Record<string, string>>;

/** `reason` as a refusal that names the parameter of the request. */
export function refusalOf(reason: unknown, params: ParameterNames): Refusal {
  if (reason instanceof Refusal) return reason;
  const error = asTinyVLMError(reason);
  return new Refusal(
    statuses[error.code] ?? 500,
    error.message,
    paramOf(error, params),
    error.code === "context_full" ? "context_length_exceeded" : error.code,
  );
}

function paramOf({ code, message }: TinyVLMError, params: ParameterNames): string | null {
  if (code === "invalid_argument") {
    const [, option] =
      Object.entries(params).find(([name]) => new RegExp(`\\b${name}\\b`).test(message)) ?? [];
    return option ?? null;
  }
  return code === "invalid_image" || code === "context_full" ? (params["messages"] ?? null) : null;
}
