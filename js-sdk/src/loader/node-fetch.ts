// fetch in Node, which shows where a redirect leads.

import { TinyVLMError } from "../protocol/errors.js";
import { givenHeaders, type PrivateFetch } from "./private-fetch.js";

const mostRedirects = 20;

/** Follows redirects itself, without the caller's headers once they lead to another origin. */
export const nodeFetch: PrivateFetch = async (url, init) => {
  const given = givenHeaders(init.headers);
  if (given.length === 0) return fetch(url, init);
  const headers = { ...init.headers };
  let address = url;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await fetch(address, { ...init, headers, redirect: "manual" });
    const target = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || !target) {
      // fetch tells of the redirects that it follows itself.
      if (redirects > 0) Object.defineProperty(response, "redirected", { value: true });
      return response;
    }
    void response.body?.cancel().catch(() => {});
    const next = new URL(target, address);
    if (next.origin !== new URL(address).origin) for (const name of given) delete headers[name];
    address = next.href;
  }
  throw new TinyVLMError("network", `${url} redirects more than ${mostRedirects} times`, { url });
};
