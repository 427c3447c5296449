// Prompts of the Prompt API as messages: checked, and with images that change no more.

import type { ImageInput } from "../../api/types.js";
import type { Said } from "../conversation.js";
import { notSupported } from "./exceptions.js";
import type { Prompt, PromptContent, PromptMessage } from "./types.js";

/**
 * Reads a prompt, its images at once. `takesImages`: whether the session expects them. `isInitial`:
 * whether the first message may be the system's. Throws a DOMException or a TypeError.
 */
export async function readPrompt(
  input: Prompt,
  takesImages: boolean,
  isInitial: boolean,
): Promise<Said[]> {
  const messages: readonly PromptMessage[] =
    typeof input === "string" ? [{ role: "user", content: input }] : input;
  if (!Array.isArray(messages)) throw new TypeError("wanted a text or a list of messages");
  return Promise.all(
    messages.map(async ({ role, content, prefix }, index): Promise<Said> => {
      if (role !== "system" && role !== "user" && role !== "assistant")
        throw new TypeError(`wanted the role system, user or assistant, found ${String(role)}`);
      if (role === "system" && !(isInitial && index === 0))
        throw notSupported("a system message is wanted as the first of the initial prompts only");
      if (prefix) throw notSupported("the beginning of an answer cannot be given");
      if (typeof content === "string") return { role, text: content, images: [] };
      if (!Array.isArray(content)) throw new TypeError("wanted a text or a list as content");
      const parts = content as readonly PromptContent[];
      const texts = parts.flatMap(({ type, value }) => {
        if (type !== "text") return [];
        if (typeof value === "string") return [value];
        throw new TypeError(`wanted a string as text, found ${typeof value}`);
      });
      const images = parts
        .filter(({ type }) => type !== "text")
        .map(({ type, value }) => {
          if (type !== "image") throw notSupported(`content of type ${type} is not supported`);
          if (role !== "user") throw notSupported(`an image in a message of the ${role}`);
          if (!takesImages)
            throw notSupported('images are taken with expectedInputs: [{ type: "image" }] only');
          return unchanging(value);
        });
      return { role, text: texts.join("\n"), images: await Promise.all(images) };
    }),
  );
}

// The conversation is asked again with each prompt: what a page may change or close meanwhile is
// copied.
async function unchanging(value: PromptContent["value"]): Promise<ImageInput> {
  if (typeof value !== "object" || value === null)
    throw new TypeError(`wanted an image, found ${typeof value}`);
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === "Blob" || tag === "File") return value as Blob;
  if (tag === "ArrayBuffer") return new Uint8Array((value as ArrayBuffer).slice(0));
  if (ArrayBuffer.isView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if ("data" in value) {
    const { data, width, height } = value;
    return { data: data.slice(), width, height };
  }
  return createImageBitmap(value as ImageBitmapSource, { premultiplyAlpha: "none" });
}
