// How a model is fetched and kept: the options of `load` about it, checked.

import { TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, CheckpointArgs, Delivery } from "../protocol/messages.js";
import { describe } from "./sources.js";
import type { LoadOptions } from "./types.js";

// Long enough for a server that thinks, short enough for somebody who waits.
const defaultStallTimeout = 20_000;
const leastStallTimeout = 100;

/** Checks the options. Only what comes from http and https is kept. */
export function deliveryOf(
  options: LoadOptions,
  sources: readonly ByteSource[],
  checkpoint: CheckpointArgs | undefined,
  storage: string,
): Delivery {
  const { cache = true, headers = {}, stallTimeout = defaultStallTimeout, early } = options;
  const wrong = (what: string, found: unknown) =>
    new TinyVLMError("invalid_argument", `${what}, found ${describe(found)}`);
  if (typeof cache !== "boolean" && (typeof cache !== "object" || cache === null))
    throw wrong("cache: wanted true, false or { key, maxBytes }", cache);
  const { key, maxBytes = Infinity } = typeof cache === "object" ? cache : {};
  if (key !== undefined && (typeof key !== "string" || key === ""))
    throw wrong("cache.key: wanted a text", key);
  if (typeof maxBytes !== "number" || !(maxBytes >= 0))
    throw wrong("cache.maxBytes: wanted a number of bytes", maxBytes);
  if (typeof stallTimeout !== "number" || !(stallTimeout >= leastStallTimeout))
    throw wrong(`stallTimeout: wanted milliseconds, ${leastStallTimeout} or more`, stallTimeout);
  if (early !== undefined && typeof early !== "boolean")
    throw wrong("early: wanted true or false", early);
  if (typeof headers !== "object" || headers === null)
    throw wrong("headers: wanted an object of names and values", headers);
  for (const [name, value] of Object.entries(headers))
    if (typeof value !== "string") throw wrong(`headers: wanted a text for ${name}`, value);
  const [first] = sources;
  const address = checkpoint
    ? checkpointAddress(checkpoint)
    : first?.kind === "url" && /^https?:/.test(first.url)
      ? first.url
      : undefined;
  const kept = cache !== false && address !== undefined;
  return {
    cacheKey: kept ? (key ?? address.replace(/#.*/s, "")) : undefined,
    cacheBytes: maxBytes,
    storage,
    headers,
    // Timers hold 31 bits.
    stallTimeout: Math.min(stallTimeout, 2 ** 31 - 1),
  };
}

// The name under which a checkpoint's model is kept: where it is, and what it became.
function checkpointAddress({ source, type }: CheckpointArgs): string {
  switch (source.kind) {
    case "hub":
      return `${source.hub}/${source.repository}@${source.revision}?type=${type}`;
    case "folder":
      return `${source.url}?type=${type}`;
    case "path":
      return `${source.path}?type=${type}`;
    case "directory":
      return `directory:${source.handle.name}?type=${type}`;
    case "files":
      return `files:${source.name}?type=${type}`;
  }
}
