// fetch, which sends the caller's headers to the URL's own origin only.

import { TinyVLMError } from "../protocol/errors.js";

/** What a request is made with. */
export interface PrivateInit {
  /** The caller's headers, and those of a range. */
  headers: Record<string, string>;
  /** Whether the HTTP cache may keep the answer. */
  cache: "default" | "no-store";
  /** Ends the request. */
  signal: AbortSignal;
}

/** As fetch; where a redirect leads to another origin, the caller's headers do not go with it. */
export type PrivateFetch = (url: string, init: PrivateInit) => Promise<Response>;

/** The headers that the caller gave: all but those of a range. */
export function givenHeaders(headers: Record<string, string>): string[] {
  return Object.keys(headers).filter((name) => !/^(if-)?range$/i.test(name));
}

/**
 * That of browsers. They drop Authorization themselves where a redirect leads elsewhere; other
 * headers they would pass on, and a page cannot see where a redirect leads: then it fails.
 */
export const webFetch: PrivateFetch = async (url, init) => {
  const passedOn = givenHeaders(init.headers).filter((name) => !/^authorization$/i.test(name));
  if (passedOn.length === 0) return fetch(url, init);
  const response = await fetch(url, { ...init, redirect: "manual" });
  if (response.type !== "opaqueredirect") return response;
  throw new TinyVLMError(
    "unsupported",
    `${url} redirects, and a page cannot keep ${passedOn.join(", ")} from going with it: give ` +
      "the final address, or only an Authorization header",
    { url },
  );
};
