// Opens a URL with fetch; status, type and length are checked before the first byte is used.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import { streamChunks, type OpenedSource } from "./chunks.js";

/**
 * Fetches `url`. Errors: `network` (no answer, or it broke off), `http` (an answer other than 2xx),
 * `invalid_file` (a web page), `aborted`.
 */
export async function openUrl(url: string, signal: AbortSignal): Promise<OpenedSource> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (reason) {
    if (signal.aborted) throw abortedError("the download", signal);
    const message =
      `no answer from ${url}: ${describeReason(reason)} ` +
      "(offline, a wrong host, or blocked by CORS or a content security policy)";
    throw new TinyVLMError("network", message, { cause: reason, url });
  }
  const size = checkResponse(response, url);
  const chunks = streamChunks(
    response.body as ReadableStream<Uint8Array>,
    signal,
    (reason, received) => {
      const of = size ? ` of ${size}` : "";
      return new TinyVLMError(
        "network",
        `the connection to ${url} broke after ${received}${of} bytes: ${describeReason(reason)}`,
        { cause: reason, url },
      );
    },
  );
  return { name: url, size, chunks };
}

/**
 * Throws unless `response` carries a file; returns its size in bytes, 0 where the server does not
 * say.
 */
export function checkResponse(response: Response, url: string): number {
  if (!response.ok) {
    void response.body?.cancel().catch(() => {});
    const { status, statusText } = response;
    const message = `wanted a file at ${url}, the server answered ${status} ${statusText}`;
    throw new TinyVLMError("http", message.trimEnd(), { status, url });
  }
  const type = response.headers.get("content-type") ?? "";
  if (/^\s*(text\/html|application\/xhtml)/i.test(type)) {
    void response.body?.cancel().catch(() => {});
    throw new TinyVLMError(
      "invalid_file",
      `wanted a file at ${url}, found a web page (${type}): ` +
        "the URL may be wrong or need a log-in",
      { url },
    );
  }
  if (!response.body)
    throw new TinyVLMError("network", `wanted a file at ${url}, found an answer without a body`, {
      url,
    });
  // Of a compressed answer the header gives the compressed length.
  const encoded = response.headers.get("content-encoding");
  return encoded && encoded !== "identity"
    ? 0
    : Number(response.headers.get("content-length") ?? 0);
}
