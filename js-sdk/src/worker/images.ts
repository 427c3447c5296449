// Turns images into what the engine takes. Browsers decode with their own decoder (which knows
// WebP, AVIF, HEIC, colour profiles); the exact mode, Node, damaged JPEGs and browsers whose canvas
// cannot be trusted use the engine's, which reads PNG and JPEG.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { ByteSource, WireImage } from "../protocol/messages.js";
import { readWhole } from "../loader/chunks.js";
import { openSource } from "../loader/source.js";
import { checkImageSize, PixelReader } from "../image/read-pixels.js";
import { canvasIsTrue } from "../image/canvas-test.js";
import type { ImageFormat, ImageReport, ReadBytes } from "../runtime/engine.js";
import type { WorkerPlatform } from "./platform.js";

/** An image that is ready to be read by the engine. */
export interface PreparedImage {
  /** How many bytes it has. */
  bytes: number;
  /** What those bytes are. */
  format: ImageFormat;
  /** Reads them, in the order of Engine.addImage. Adds its time to `decodeMs`. */
  read: ReadBytes;
  /** Releases the image's memory; it cannot be read any more. May be called again. */
  release(): void;
  /** Milliseconds spent on decoding so far. */
  decodeMs: number;
  /** What was found wrong with its file so far, and drawn over. */
  warnings: string[];
}

/** How the images of a question are read. */
export interface ImageSetting {
  /** Whether the engine decodes all of them. */
  exact: boolean;
  signal: AbortSignal;
  platform: Pick<WorkerPlatform, "openPath" | "decodeImage">;
  /** Engine.inspectImage. */
  inspect(bytes: number, read: ReadBytes): ImageReport;
  /** Has the page draw a file. */
  draw(file: Blob, svg: boolean): Promise<WireImage>;
}

const maxFileBytes = 512 << 20;

// A server, or a network drive, that sends nothing must not keep later questions waiting for ever.
const stallMs = 20_000;

/**
 * Does all that is asynchronous. Errors: `invalid_image`, those of openSource, `aborted`; `network`
 * (`io` for files) where nothing arrives for 20 s.
 */
export async function prepareImage(
  image: WireImage,
  setting: ImageSetting,
): Promise<PreparedImage> {
  switch (image.kind) {
    case "pixels": {
      const { format, width, height, data } = image;
      return bytesImage(data, { format, width, height });
    }
    case "bitmap":
      checkCanvas("use the image's file (PNG or JPEG) instead");
      return bitmapImage(image.bitmap, performance.now());
    case "encoded":
      return encodedImage(image.source, setting);
  }
}

async function encodedImage(source: ByteSource, setting: ImageSetting): Promise<PreparedImage> {
  const { exact, signal, platform } = setting;
  const file = await readFile(source, setting);
  if (signal.aborted) throw abortedError("the question", signal);
  const began = performance.now();
  const asFile = () => bytesImage(file, { format: "encoded" });
  if (exact) return asFile();
  const { format, whole, warnings } = setting.inspect(file.length, readerOf(file));
  const decodes = format === "PNG" || format === "JPEG";
  if (decodes && !whole) return asFile();
  let prepared: PreparedImage;
  if (platform.decodeImage) {
    // Node.
    const decoded = decodes ? undefined : await platform.decodeImage(file, format);
    if (!decoded) return asFile();
    prepared = await prepareImage(decoded, setting);
  } else {
    // A Blob is decoded as it is, not copied into another. slice() removes its type: the bytes
    // decide the format.
    const blob = source.kind === "blob" ? source.blob.slice() : new Blob([file]);
    const svg = format === "SVG";
    if (svg || typeof OffscreenCanvas !== "function")
      prepared = await prepareImage(await setting.draw(blob, svg), setting);
    else {
      if (decodes && !canvasIsTrue()) return asFile();
      checkCanvas(`use a PNG or JPEG instead of this ${format || "file"}`);
      try {
        prepared = bitmapImage(await decodeBitmap(blob), began);
      } catch (reason) {
        if (reason instanceof TinyVLMError) throw reason; // too large
        if (decodes) return asFile();
        throw new TinyVLMError(
          "invalid_image",
          `this browser does not decode this ${format || "file"}: ${describeReason(reason)}` +
            (format === "HEIC"
              ? '; export it as JPEG, or let iOS convert it: <input accept="image/jpeg">'
              : ""),
          { cause: reason },
        );
      }
    }
  }
  prepared.warnings.push(...warnings);
  prepared.decodeMs = performance.now() - began;
  return prepared;
}

// All bytes of a source that goes on sending.
async function readFile(
  source: ByteSource,
  { signal, platform }: ImageSetting,
): Promise<Uint8Array<ArrayBuffer>> {
  const attempt = new AbortController();
  const abort = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", abort);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const goOn = () => {
    clearTimeout(timer);
    timer = setTimeout(() => attempt.abort(), stallMs);
  };
  async function* watched(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      goOn();
      yield chunk;
    }
  }
  try {
    goOn();
    const opened = await openSource(source, attempt.signal, platform.openPath);
    const chunks = watched(opened.chunks);
    return await readWhole({ ...opened, chunks }, maxFileBytes, "invalid_image");
  } catch (reason) {
    if (signal.aborted || !attempt.signal.aborted) throw reason;
    const url = source.kind === "url" ? source.url : undefined;
    throw new TinyVLMError(
      url === undefined ? "io" : "network",
      `${url ?? "the image"} sent nothing for ${stallMs / 1000} s`,
      { cause: reason, url },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

const readerOf =
  (data: Uint8Array): ReadBytes =>
  (offset, target) =>
    target.set(data.subarray(offset, offset + target.length));

function bytesImage(data: Uint8Array, format: ImageFormat): PreparedImage {
  return {
    bytes: data.length,
    format,
    read: readerOf(data),
    release() {},
    decodeMs: 0,
    warnings: [],
  };
}

function checkCanvas(remedy: string): void {
  if (!canvasIsTrue())
    throw new TinyVLMError(
      "invalid_image",
      "a privacy setting of this browser falsifies what is read from a canvas " +
        `(resistFingerprinting, Brave's shields): allow it for this page, or ${remedy}`,
    );
}

function decodeBitmap(file: Blob): Promise<ImageBitmap> {
  return createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
}

function bitmapImage(bitmap: ImageBitmap, began: number): PreparedImage {
  const { width, height } = bitmap;
  try {
    checkImageSize(width, height);
  } catch (error) {
    bitmap.close();
    throw error;
  }
  // Read once and never shown: willReadFrequently keeps the canvas in main memory instead of on the
  // GPU.
  const reader = new PixelReader(bitmap, width, height, (w, h) =>
    new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true }),
  );
  const image: PreparedImage = {
    bytes: width * height * 4,
    format: { format: "rgba", width, height },
    read(offset, target) {
      const from = performance.now();
      reader.read(offset / (width * 4), target);
      image.decodeMs += performance.now() - from;
    },
    release: () => bitmap.close(),
    decodeMs: performance.now() - began,
    warnings: [],
  };
  return image;
}
