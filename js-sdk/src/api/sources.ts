// Turns what callers pass (a URL, a Blob, bytes, pixels …) into what is sent to the worker.

import { checkResponse } from "../loader/fetch-source.js";
import { checkImageSize } from "../image/read-pixels.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, CheckpointSource, WireImage } from "../protocol/messages.js";
import type { Platform } from "./platform.js";
import type { ImageInput, LoadOptions, ModelSource, RawImage } from "./types.js";

/**
 * The sources of a model: one, or several addresses of the same file. Bytes are copied and the body
 * of a Response is consumed; a model that is fetched from a URL is never held in JavaScript as a
 * whole.
 */
export async function modelSources(
  source: ModelSource | undefined,
  options: LoadOptions,
  platform: Platform,
): Promise<ByteSource[]> {
  if (source === undefined || source === null) return [platform.demoModel()];
  if (!Array.isArray(source)) return [await modelSource(source as OneSource, options, platform)];
  if (source.length === 0)
    throw new TinyVLMError("invalid_argument", "wanted at least one address, found none");
  const addresses = source as readonly unknown[];
  const wrong = addresses.find((one) => typeof one !== "string" && tagOf(one) !== "URL");
  if (wrong !== undefined)
    throw new TinyVLMError(
      "invalid_argument",
      `wanted addresses of one file, found ${describe(wrong)} among them`,
    );
  return Promise.all(source.map((one) => modelSource(one, options, platform)));
}

/** The checkpoint that `source` names; undefined where it is a model file. */
export function checkpointSource(
  source: ModelSource | undefined,
  { hubUrl }: LoadOptions,
  platform: Platform,
): CheckpointSource | undefined {
  if (typeof source === "string" && source.startsWith("hf:")) {
    const { repository, revision, file } = hubParts(source);
    if (file.length > 0) return undefined;
    return { kind: "hub", hub: hubOf(hubUrl, platform), repository, revision };
  }
  if (tagOf(source) === "FileSystemDirectoryHandle")
    return { kind: "directory", handle: source as unknown as FileSystemDirectoryHandle };
  if (Array.isArray(source) || tagOf(source) === "FileList") {
    const files = Array.from(source as ArrayLike<unknown>);
    if (files.length === 0 || files.some((file) => tagOf(file) !== "File")) return undefined;
    const [first] = files as File[];
    const folder = first!.webkitRelativePath?.split("/")[0];
    return { kind: "files", name: folder || "the given files", files: files as File[] };
  }
  if (typeof source !== "string" && tagOf(source) !== "URL") return undefined;
  return platform.folder(source as string | URL);
}

/** Names under which `load` may have kept the model that it was given as `source`. */
export function keysOf(source: string, platform: Platform): string[] {
  try {
    if (source.startsWith("hf:")) return [source, hubAddress(source, hubOf(undefined, platform))];
    return [source, platform.absoluteUrl(source).replace(/#.*/s, "")];
  } catch {
    return [source];
  }
}

type OneSource = Exclude<ModelSource, readonly unknown[]>;

async function modelSource(
  source: OneSource,
  { hubUrl }: LoadOptions,
  platform: Platform,
): Promise<ByteSource> {
  if (typeof source === "string" && source.startsWith("hf:")) {
    return { kind: "url", url: hubAddress(source, hubOf(hubUrl, platform)) };
  }
  if (tagOf(source) === "Response") return responseSource(source as Response);
  if (tagOf(source) === "ReadableStream" && !(source as ReadableStream).locked)
    return responseSource(new Response(source as ReadableStream<Uint8Array>), "the given stream");
  const plain = plainSource(source, platform, "the given bytes");
  if (plain) return plain;
  throw new TinyVLMError(
    "invalid_argument",
    "wanted a model (a URL, several of the same file, { parts }, a path in Node, a Blob, a " +
      `Response, a stream that nobody reads or bytes), found ${describe(source)}`,
  );
}

/**
 * The images of one question, read now: what the caller does to a canvas or a buffer afterwards
 * changes nothing.
 */
export function readImages(
  images: ImageInput | readonly ImageInput[] | null | undefined,
  exact: boolean,
  platform: Platform,
): Promise<WireImage[]> {
  const list =
    images === null
      ? []
      : Array.isArray(images)
        ? (images as readonly ImageInput[])
        : [images as ImageInput];
  // Most often a mistake: the answer would be about nothing.
  if (images === undefined || (images !== null && list.length === 0))
    throw new TinyVLMError(
      "invalid_argument",
      "wanted an image, several, or null for none, found " +
        (images === undefined ? "undefined" : "an empty list"),
    );
  return Promise.all(list.map((image) => readImage(image, exact, platform)));
}

/** The parts of images that are transferred to the worker instead of copied. */
export function transferables(list: WireImage[]): Transferable[] {
  return list.flatMap((item): Transferable[] => {
    if (item.kind === "bitmap") return [item.bitmap];
    return item.kind === "pixels" ? [item.data.buffer as ArrayBuffer] : [];
  });
}

type PixelImage = Extract<WireImage, { kind: "pixels" }>;

async function readImage(
  image: ImageInput,
  exact: boolean,
  platform: Platform,
): Promise<WireImage> {
  // Nothing is awaited before an image that may change has been read.
  const plain = plainSource(image as OneSource, platform, "the image");
  if (plain) return { kind: "encoded", source: await plain };
  const fromPage = platform.pageImage(image, exact);
  if (fromPage) {
    const read = await fromPage;
    return typeof read === "string" ? readImage(read, exact, platform) : read;
  }
  if (typeof image === "object" && image !== null && "data" in image) return rawImage(image);
  throw new TinyVLMError(
    "invalid_argument",
    "wanted an image (a URL, a path in Node, a Blob, bytes, pixels, or something that a page can " +
      `draw), found ${describe(image)}`,
  );
}

function plainSource(
  source: OneSource,
  platform: Platform,
  name: string,
): ByteSource | Promise<ByteSource> | undefined {
  const ofBlob = (content: Parameters<Platform["blobOf"]>[0], of: string) => {
    const blob = platform.blobOf(content);
    return "then" in blob
      ? blob.then((ready): ByteSource => ({ kind: "blob", blob: ready, name: of }))
      : ({ kind: "blob", blob, name: of } as const);
  };
  if (typeof source === "string" && source.startsWith("data:"))
    return ofBlob(dataBytes(source), "the data: URL");
  if (typeof source === "string") return platform.named(source);
  switch (tagOf(source)) {
    case "URL": {
      const { href } = source as URL;
      return href.startsWith("data:")
        ? plainSource(href, platform, name)
        : platform.named(source as URL);
    }
    case "ArrayBuffer":
      return ofBlob(source as ArrayBuffer, name);
    case "Blob":
      return ofBlob(source as Blob, name);
    case "File":
      return ofBlob(source as File, (source as File).name);
  }
  // Blobs of happy-dom do not have the name.
  const { size, type, slice } = Object(source) as Partial<Blob>;
  if (typeof size === "number" && typeof type === "string" && typeof slice === "function")
    return ofBlob(source as Blob, name);
  if (!ArrayBuffer.isView(source)) return undefined;
  const { buffer, byteOffset, byteLength } = source;
  return ofBlob(unshared(new Uint8Array(buffer, byteOffset, byteLength)), name);
}

/** Pixels, checked and copied. */
export function rawImage({ data, width, height }: RawImage): PixelImage {
  // By name, because arrays of another realm (a frame, a test environment) have other classes.
  if (tagOf(data) !== "Uint8Array" && tagOf(data) !== "Uint8ClampedArray") {
    throw new TinyVLMError(
      "invalid_argument",
      `wanted pixels as Uint8Array or Uint8ClampedArray, found ${describe(data)}`,
    );
  }
  if (!Number.isInteger(width) || !Number.isInteger(height))
    throw new TinyVLMError(
      "invalid_argument",
      `wanted whole numbers for width and height, found ${width} and ${height}`,
    );
  checkImageSize(width, height);
  const format =
    data.length === width * height * 4
      ? "rgba"
      : data.length === width * height * 3
        ? "rgb"
        : undefined;
  if (!format) {
    throw new TinyVLMError(
      "invalid_argument",
      `wanted ${width * height * 3} (RGB) or ${width * height * 4} (RGBA) bytes for ` +
        `${width} × ${height} pixels, found ${data.length}`,
    );
  }
  return { kind: "pixels", format, width, height, data: new Uint8Array(data) };
}

async function responseSource(
  response: Response,
  name = response.url || "the given response",
): Promise<ByteSource> {
  const size = checkResponse(response, name);
  if (response.bodyUsed)
    throw new TinyVLMError("invalid_argument", `the body of ${name} has been read already`);
  if (canTransferStreams())
    return { kind: "stream", stream: response.body as ReadableStream<Uint8Array>, size, name };
  try {
    return { kind: "blob", blob: await response.blob(), name };
  } catch (cause) {
    throw new TinyVLMError("network", `the connection to ${name} broke`, {
      cause,
      url: response.url,
    });
  }
}

// Safari cannot transfer a stream to a worker.
function canTransferStreams(): boolean {
  const { port1, port2 } = new MessageChannel();
  try {
    const stream = new ReadableStream();
    port1.postMessage(stream, [stream]);
    return true;
  } catch {
    return false;
  } finally {
    port1.close();
    port2.close();
  }
}

// Decoded here, because fetch("data:") is subject to the page's content security policy.
function dataBytes(address: string): Uint8Array<ArrayBuffer> {
  const comma = address.indexOf(",");
  if (comma < 0)
    throw new TinyVLMError("invalid_argument", "wanted a comma in the data: URL, found none");
  // Characters that are not escaped stand for their bytes in UTF-8, as in a URL that was parsed.
  const body = address
    .slice(comma + 1)
    .replace(/[\ud800-\udfff]/gu, "\ufffd")
    .replace(/[\u0080-\uffff]+/g, encodeURI);
  const text = body.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  try {
    const binary = /;\s*base64\s*$/i.test(address.slice(0, comma)) ? atob(text) : text;
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new TinyVLMError(
      "invalid_argument",
      "wanted base64 after the comma of the data: URL, found something else",
      { cause },
    );
  }
}

const hubOf = (hubUrl: string | URL | undefined, platform: Platform) =>
  (hubUrl === undefined ? platform.hubUrl() : platform.absoluteUrl(hubUrl)).replace(/\/$/, "");

// hf:owner/repository[@revision][/file]
function hubParts(source: string): { repository: string; revision: string; file: string[] } {
  const [owner, named = "", ...file] = source.slice(3).split("/");
  const [repository, revision = "main", ...more] = named.split("@");
  if (more.length > 0 || [owner, repository, revision, ...file].some((part) => !part))
    throw new TinyVLMError(
      "invalid_argument",
      "wanted hf:owner/repository (a checkpoint) or hf:owner/repository/file, either with " +
        `@revision behind the repository, found ${source}`,
    );
  return { repository: `${owner}/${repository}`, revision, file };
}

/** The address of the file that `hf:owner/repository[@revision]/file` names on `hub`. */
export function hubAddress(source: string, hub: string): string {
  const { repository, revision, file } = hubParts(source);
  const path = [...repository.split("/"), "resolve", revision, ...file].map(encodeURIComponent);
  return `${hub}/${path.join("/")}`;
}

// A Blob cannot be made of shared memory.
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return tagOf(bytes.buffer) === "ArrayBuffer"
    ? (bytes as Uint8Array<ArrayBuffer>)
    : new Uint8Array(bytes);
}

/** The built-in type of an object ("Blob", "HTMLImageElement"), even of one from another frame. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** One phrase about a value that was not wanted, for messages. */
export function describe(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `an object (${tagOf(value)})`
    : `${typeof value} ${String(value)}`;
}
