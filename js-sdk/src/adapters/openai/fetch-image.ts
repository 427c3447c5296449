// Images that a request names by address, where only some addresses may be fetched from: an allowed
// one must not lead on to others, so each redirect is looked at before it is followed.

import type { ImageInput } from "../../api/types.js";
import { describeReason } from "../../protocol/errors.js";
import type { Said } from "../conversation.js";
import type { MayFetch } from "./messages.js";
import { Refusal } from "./refusal.js";

const mostRedirects = 20;
const mostBytes = 512 << 20; // as of any image file

/**
 * `said` with its images at addresses in the place of those addresses. Throws a Refusal that names
 * `param`; rejects with the signal's reason where that ends the work.
 */
export function withImages(
  said: readonly Said[],
  mayFetch: MayFetch,
  param: string,
  signal: AbortSignal,
): Promise<Said[]> {
  const fetched = async (image: ImageInput) =>
    typeof image === "string" && /^https?:/.test(image)
      ? await fetchImage(new URL(image), mayFetch, param, signal)
      : image;
  return Promise.all(
    said.map(async (message) => {
      return { ...message, images: await Promise.all(message.images.map(fetched)) };
    }),
  );
}

async function fetchImage(
  url: URL,
  mayFetch: MayFetch,
  param: string,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const refusal = (why: string) =>
    new Refusal(400, `The image at ${url.href} ${why}.`, param, "invalid_image_url");
  let address = url;
  try {
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const response = await fetch(address, { redirect: "manual", signal });
      if (response.ok) return await wholeBody(response, refusal);
      void response.body?.cancel().catch(() => {});
      // A page is not told where a redirect leads.
      if (response.type === "opaqueredirect")
        throw refusal("redirects, and a page cannot see where to");
      const target = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || target === null)
        throw refusal(`was not sent: the server answered ${response.status}`);
      address = new URL(target, address);
      if (!/^https?:$/.test(address.protocol) || !mayFetch(address))
        throw refusal("redirects to an address from which this server does not fetch images");
    }
  } catch (reason) {
    if (signal.aborted) throw signal.reason;
    throw reason instanceof Refusal ? reason : refusal(`was not sent: ${describeReason(reason)}`);
  }
  throw refusal(`redirects more than ${mostRedirects} times`);
}

async function wholeBody(
  response: Response,
  refusal: (why: string) => Refusal,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.length;
    if (size > mostBytes) {
      void reader?.cancel().catch(() => {});
      throw refusal(`is larger than ${mostBytes} bytes`);
    }
    chunks.push(read.value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
