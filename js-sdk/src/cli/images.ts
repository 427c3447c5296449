// Images as arguments: a path, a URL, or "-" for stdin.

import { existsSync } from "node:fs";
import type { ImageInput } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import { wrongArgument } from "./flags.js";

/** As much as the worker reads of an image (worker/images.ts). */
const maxBytes = 512 << 20;

/** Whether this is an address. Two letters at least: "C:" is a drive. */
export const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(text);

/** The images of a command line, those of "-" read from stdin. Errors name the argument. */
export async function imagesOf(
  words: readonly (readonly [name: string, text: string])[],
): Promise<ImageInput[]> {
  if (words.filter(([, text]) => text === "-").length > 1)
    throw wrongArgument("wanted stdin (-) for one image, found it for several");
  const images: ImageInput[] = [];
  for (const [name, text] of words) {
    if (text === "") throw wrongArgument(`wanted an image for ${name}, found an empty text`);
    images.push(text === "-" ? await imageFromStdin() : text);
  }
  return images;
}

async function imageFromStdin(): Promise<Uint8Array> {
  if (process.stdin.isTTY)
    throw wrongArgument('wanted an image on stdin for "-", found a terminal');
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new TinyVLMError(
        "invalid_image",
        `wanted an image of at most ${maxBytes} bytes on stdin, found more`,
      );
    chunks.push(chunk);
  }
  if (bytes === 0)
    throw new TinyVLMError("invalid_image", 'wanted an image on stdin for "-", found no bytes');
  return Buffer.concat(chunks);
}

/** Throws where the question stands first and the image second. */
export function checkOrder(image: string, question: string): void {
  if (!isUrl(image) && !existsSync(image) && existsSync(question))
    throw wrongArgument(
      `wanted the image before the question, found the question "${image}" first`,
    );
}
