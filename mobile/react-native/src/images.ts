// Images as callers give them, as they cross to the native side: an address where the device has
// the file, else base64 (React Native's codegen has no type for bytes).

import { describe, rawImage, tagOf } from "../../../js-sdk/src/api/sources.js";
import { TinyVLMError } from "../../../js-sdk/src/protocol/errors.js";
import type { NativeImage, NativeMessage } from "./bridge.js";
import type { ImageInput, PastMessage, RawImage } from "./types.js";

/**
 * The images of one question, read now but for files of the device; a promise where something has
 * to be fetched. Throws `invalid_argument`; rejects also with `network`, `http` and `io`.
 */
export function readImages(
  images: ImageInput | readonly ImageInput[] | null | undefined,
): NativeImage[] | Promise<NativeImage[]> {
  const list = Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput];
  if (images === null) return [];
  // Most often a mistake: the answer would be about nothing.
  if (images === undefined || list.length === 0)
    throw new TinyVLMError(
      "invalid_argument",
      "wanted an image, several, or null for none, found " +
        (images === undefined ? "undefined" : "an empty list"),
    );
  const read = list.map(readImage);
  const isRead = (image: NativeImage | Promise<NativeImage>): image is NativeImage =>
    !(image instanceof Promise);
  return read.every(isRead) ? read : Promise.all(read.map(async (image) => image));
}

/** The messages that a chat is made with, their images read. Rejects as `readImages` throws. */
export async function readMessages(messages: readonly PastMessage[]): Promise<NativeMessage[]> {
  return Promise.all(
    messages.map(async ({ role, content, images = [] }, index) => {
      if (role !== "user" && role !== "assistant")
        throw new TinyVLMError(
          "invalid_argument",
          `messages[${index}]: wanted the role user or assistant, found ${describe(role)}`,
        );
      return { role, content, images: images.length === 0 ? [] : await readImages(images) };
    }),
  );
}

function readImage(image: ImageInput): NativeImage | Promise<NativeImage> {
  if (typeof image === "string") return ofAddress(image);
  switch (tagOf(image)) {
    case "ArrayBuffer":
      return { file: base64Of(new Uint8Array(image as ArrayBuffer)) };
    case "Uint8Array":
    case "Uint8ClampedArray":
      return { file: base64Of(image as Uint8Array) };
    case "Blob":
    case "File":
      return ofBlob(image as Blob);
  }
  if (image instanceof URL) return ofAddress(image.href);
  if (image instanceof Blob) return ofBlob(image);
  if (typeof image === "object" && image !== null) {
    if ("uri" in image && typeof image.uri === "string") return ofAddress(image.uri);
    if ("data" in image) return ofPixels(image);
  }
  throw new TinyVLMError(
    "invalid_argument",
    "wanted an image (an address, { uri }, the bytes of a file, a Blob, or { data, width, " +
      `height }), found ${describe(image)}`,
  );
}

function ofAddress(address: string): NativeImage | Promise<NativeImage> {
  if (/^data:/i.test(address)) return { file: base64OfDataUrl(address) };
  if (/^https?:/i.test(address)) return fetched(address);
  if (/^(\/|[a-z][a-z0-9+.-]*:)/i.test(address)) return { uri: address };
  throw new TinyVLMError(
    "invalid_argument",
    `wanted the address of an image, or its absolute path, found ${address}`,
  );
}

function base64OfDataUrl(address: string): string {
  const head = /^data:[^,]*;\s*base64\s*,/i.exec(address.slice(0, 200));
  const body = head && address.slice(head[0].length);
  if (!body)
    throw new TinyVLMError(
      "invalid_argument",
      "wanted a data: URL of an image with base64, found one without",
    );
  return body.includes("%") ? decodeURIComponent(body) : body;
}

async function fetched(url: string): Promise<NativeImage> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new TinyVLMError("network", `${url} cannot be fetched`, { cause, url });
  }
  const { ok, status } = response;
  if (!ok)
    throw new TinyVLMError("http", `wanted an image at ${url}, found HTTP status ${status}`, {
      status,
      url,
    });
  try {
    return await ofBlob(await response.blob());
  } catch (cause) {
    throw new TinyVLMError("network", `the connection to ${url} broke`, { cause, url });
  }
}

// The one way from a Blob to its bytes that every version of React Native has.
function ofBlob(blob: Blob): Promise<NativeImage> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => {
      const url = reader.result as string;
      resolve({ file: url.slice(url.indexOf(",") + 1) });
    };
    reader.onerror = () =>
      reject(
        new TinyVLMError("io", `a Blob of ${blob.size} bytes cannot be read`, {
          cause: reader.error,
        }),
      );
    reader.readAsDataURL(blob);
  });
}

function ofPixels(image: RawImage): NativeImage {
  const { format, width, height, data } = rawImage(image);
  if (format === "rgba") return { rgba: base64Of(data), width, height };
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4)
    rgba.set(data.subarray(from, from + 3), to);
  return { rgba: base64Of(rgba), width, height };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// In pieces: a text that grows letter by letter is slow, and btoa wants the bytes as one.
function base64Of(bytes: Uint8Array | Uint8ClampedArray): string {
  const pieces: string[] = [];
  let piece = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [first, second, third] = [bytes[at]!, bytes[at + 1], bytes[at + 2]];
    piece +=
      alphabet[first >> 2]! +
      alphabet[((first & 3) << 4) | ((second ?? 0) >> 4)]! +
      (second === undefined ? "=" : alphabet[((second & 15) << 2) | ((third ?? 0) >> 6)]!) +
      (third === undefined ? "=" : alphabet[third & 63]!);
    if (piece.length >= 8192) {
      pieces.push(piece);
      piece = "";
    }
  }
  return pieces.join("") + piece;
}
