// Base64 as clients send it: also with line breaks, without padding, and in the alphabet for URLs.

import { TinyVLMError } from "../protocol/errors.js";

/** The bytes of base64 text. Throws `invalid_argument`, in which the text is called `name`. */
export function bytesOfBase64(text: string, name: string): Uint8Array<ArrayBuffer> {
  const packed = text.replace(/\s+/g, "");
  // No expression ends with "=+$": it would take quadratic time where other letters follow.
  let end = packed.length;
  while (packed[end - 1] === "=") --end;
  const plain = packed.slice(0, end).replaceAll("-", "+").replaceAll("_", "/");
  let binary: string;
  try {
    binary = atob(plain);
  } catch (cause) {
    const at = plain.search(/[^A-Za-z0-9+/]/);
    const found = at < 0 ? `${plain.length} letters` : `${JSON.stringify(plain[at])} at ${at}`;
    throw new TinyVLMError("invalid_argument", `wanted base64 for ${name}, found ${found}`, {
      cause,
    });
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** The bytes of a `data:` URL with base64; undefined for any other address. */
export function bytesOfDataUrl(url: string, name: string): Uint8Array<ArrayBuffer> | undefined {
  const head = /^\s*data:[^,]*;\s*base64\s*,/i.exec(url);
  if (!head) return undefined;
  const body = url.slice(head[0].length);
  return bytesOfBase64(body.includes("%") ? decodeURIComponent(body) : body, name);
}
