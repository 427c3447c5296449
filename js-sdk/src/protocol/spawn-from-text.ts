// Workers from scripts of another origin.

import { webEndpoint, type Endpoint } from "./endpoint.js";
import { describeReason, TinyVLMError } from "./errors.js";

const wantedBlob =
  "worker-src blob: in the page's content security policy, because this script is of another " +
  "origin than the page";

/**
 * Starts a worker from the text of the script at `url`, in a Blob: browsers refuse to start one
 * from a script of another origin. `cause` is that refusal, `trusted` makes an address that pages
 * with Trusted Types accept, and `hint` is said where there is no such file.
 */
export async function spawnFromText(
  url: string,
  signal: AbortSignal | undefined,
  cause: unknown,
  trusted: (url: string) => string,
  hint: string,
): Promise<{ endpoint: Endpoint; script: Blob }> {
  let text: string;
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    text = await response.text();
  } catch (reason) {
    throw new TinyVLMError(
      "worker",
      `the worker could not be started from ${url}: ${describeReason(cause)}; ` +
        `nor could its text be read: ${describeReason(reason)}; ${hint}`,
      { cause, url },
    );
  }
  const script = new Blob([text], { type: "text/javascript" });
  const blobUrl = URL.createObjectURL(script);
  try {
    const worker = new Worker(trusted(blobUrl), { type: "module" });
    return { endpoint: webEndpoint(worker, url, wantedBlob), script };
  } catch (reason) {
    throw new TinyVLMError(
      "worker",
      `the worker could not be started from ${url} (wanted: ${wantedBlob}): ` +
        describeReason(reason),
      { cause: reason, url },
    );
  }
}
