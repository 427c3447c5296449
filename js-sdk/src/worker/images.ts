// Turns images into what the engine takes. Browsers decode with their own decoder (which knows
// WebP, AVIF, HEIC, colour profiles); the exact mode and Node use the engine's, which reads PNG and
// JPEG.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { WireImage } from "../protocol/messages.js";
import { readWhole, type OpenPath } from "../loader/chunks.js";
import { openSource } from "../loader/source.js";
import { checkImageSize, PixelReader } from "../image/read-pixels.js";
import type { ImageFormat, ReadBytes } from "../runtime/engine.js";
import { checkImageFile } from "./image-file.js";

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
}

const maxFileBytes = 512 << 20;

/** Does all that is asynchronous. Errors: `invalid_image`, those of openSource, `aborted`. */
export async function prepareImage(
  image: WireImage,
  exact: boolean,
  signal: AbortSignal,
  openPath: OpenPath | undefined,
): Promise<PreparedImage> {
  switch (image.kind) {
    case "pixels": {
      const { format, width, height, data } = image;
      return bytesImage(data, { format, width, height });
    }
    case "bitmap":
      return bitmapImage(image.bitmap, performance.now());
    case "encoded": {
      const { source } = image;
      const opened = await openSource(source, signal, openPath);
      const file = await readWhole(opened, maxFileBytes, "invalid_image");
      if (signal.aborted) throw abortedError("the question", signal);
      const began = performance.now();
      // Only a worker of Node opens paths. There the engine decodes, also in Deno, whose
      // OffscreenCanvas has no 2d context.
      if (exact || openPath || typeof OffscreenCanvas !== "function")
        return bytesImage(file, { format: "encoded" });
      checkImageFile(file);
      // A Blob is decoded as it is, not copied into another. slice() removes its type: the bytes
      // decide the format.
      const blob = source.kind === "blob" ? source.blob.slice() : new Blob([file]);
      return bitmapImage(await decodeBitmap(blob), began);
    }
  }
}

function bytesImage(data: Uint8Array, format: ImageFormat): PreparedImage {
  return {
    bytes: data.length,
    format,
    read: (offset, target) => target.set(data.subarray(offset, offset + target.length)),
    release() {},
    decodeMs: 0,
  };
}

async function decodeBitmap(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
    });
  } catch (reason) {
    throw new TinyVLMError(
      "invalid_image",
      `wanted an image that this browser can decode, found ${file.size} bytes that it cannot: ` +
        describeReason(reason),
      { cause: reason },
    );
  }
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
  };
  return image;
}
