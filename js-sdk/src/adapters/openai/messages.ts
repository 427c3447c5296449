// Messages of a request: roles, and content that is a text or parts of text and images.

import type { ImageInput } from "../../api/types.js";
import { TinyVLMError } from "../../protocol/errors.js";
import { bytesOfBase64, bytesOfDataUrl } from "../base64.js";
import type { Said } from "../conversation.js";
import { isObject, type Json } from "./json.js";
import { invalid } from "./parameters.js";
import { Refusal } from "./refusal.js";

/** Whether an image may be fetched from this address. */
export type MayFetch = (url: URL) => boolean;

const roles: ReadonlyMap<unknown, Said["role"]> = new Map([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
]);

/** The messages at `path` of a request. */
export function readMessages(list: unknown, path: string, mayFetch: MayFetch): Said[] {
  if (!Array.isArray(list) || list.length === 0)
    throw invalid(path, "a list of at least one message", list);
  return list.map((item, index) => readMessage(item, `${path}[${index}]`, mayFetch));
}

function readMessage(message: unknown, path: string, mayFetch: MayFetch): Said {
  if (!isObject(message)) throw invalid(path, "a message", message);
  const { type = "message", role, content } = message;
  const calls = ["tool_calls", "function_call"].find((name) =>
    Array.isArray(message[name]) ? message[name].length > 0 : message[name],
  );
  if (type !== "message" || role === "tool" || role === "function" || calls)
    throw new Refusal(
      400,
      `'${path}' is ${calls ? `a message with ${calls}` : String(type === "message" ? role : type)}:` +
        " this model calls no tools, and knows messages of system, developer, user and assistant.",
      path,
      "unsupported_value",
    );
  const known = roles.get(role);
  if (!known) throw invalid(`${path}.role`, "system, developer, user or assistant", role);
  const said: Said = { role: known, text: "", images: [] };
  if (typeof content === "string") return { ...said, text: content };
  if (Array.isArray(content)) {
    const parts = content.map((part, index) =>
      readPart(part, `${path}.content[${index}]`, mayFetch),
    );
    const texts = parts.flatMap((part) => ("text" in part ? [part.text] : []));
    said.text = texts.join("\n");
    said.images = parts.flatMap((part) => ("image" in part ? [part.image] : []));
    return said;
  }
  if ((content === null || content === undefined) && known === "assistant")
    return { ...said, text: typeof message["refusal"] === "string" ? message["refusal"] : "" };
  throw invalid(`${path}.content`, "a string or a list of parts", content);
}

function readPart(
  part: unknown,
  path: string,
  mayFetch: MayFetch,
): { text: string } | { image: ImageInput } {
  const wanted = "a part of type text or image_url (input_text, input_image)";
  if (!isObject(part)) throw invalid(path, wanted, part);
  switch (part["type"]) {
    case "text":
    case "input_text":
    case "output_text":
      return { text: textIn(part, "text", path) };
    case "refusal":
      return { text: textIn(part, "refusal", path) };
    case "image_url":
    case "input_image": {
      const { image_url: given, file_id: file } = part;
      if (file !== undefined && file !== null && (given === undefined || given === null))
        throw new Refusal(
          400,
          `'${path}' names an uploaded file, and none are kept here: send the image itself, as a ` +
            "data: URL.",
          `${path}.file_id`,
          "unsupported_value",
        );
      const at = isObject(given) ? `${path}.image_url.url` : `${path}.image_url`;
      return { image: readImage(isObject(given) ? given["url"] : given, at, mayFetch) };
    }
    default:
      throw new Refusal(
        400,
        `Invalid '${path}': wanted ${wanted}, found one of type ${String(part["type"])}.`,
        `${path}.type`,
        "unsupported_value",
      );
  }
}

function textIn(part: Json, name: string, path: string): string {
  const text = part[name];
  if (typeof text !== "string") throw invalid(`${path}.${name}`, "a string", text);
  return text;
}

function readImage(url: unknown, path: string, mayFetch: MayFetch): ImageInput {
  const wanted = "a data: URL with an image, or an http: or https: URL of one";
  if (typeof url !== "string" || url === "") throw invalid(path, wanted, url);
  try {
    const bytes = bytesOfDataUrl(url, `'${path}'`);
    if (bytes) return bytes;
    if (/^data:/i.test(url)) return `data:${url.slice(5)}`;
    // Some clients leave the head of the data: URL out.
    if (/^[\w+/-]{24}[\w+/\s-]*(?:=[=\s]*)?$/.test(url)) return bytesOfBase64(url, `'${path}'`);
  } catch (reason) {
    if (!(reason instanceof TinyVLMError)) throw invalid(path, wanted, url);
    throw new Refusal(400, `${reason.message}.`, path, "invalid_image_url");
  }
  if (!/^https?:/i.test(url)) throw invalid(path, wanted, url);
  const address = parsed(url);
  if (!address) throw invalid(path, wanted, url);
  if (!mayFetch(address))
    throw new Refusal(
      400,
      `'${path}' is an address from which this server does not fetch images: send the image ` +
        "itself, as a data: URL.",
      path,
      "invalid_image_url",
    );
  return address.href;
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
