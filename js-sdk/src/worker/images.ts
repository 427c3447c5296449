// Turns images into what the engine takes. Browsers decode with their own decoder (which knows
// WebP, AVIF, HEIC, colour profiles); the exact mode and Node use the engine's, which reads PNG and
// JPEG.

import { abortedError, describeReason, TinyVLMError } from "../protocol/errors.js";
import type { WireImage } from "../protocol/messages.js";
import { readWhole, type OpenPath } from "../loader/chunks.js";
import { openSource } from "../loader/source.js";
import { checkImageSize, readPixels } from "../image/read-pixels.js";
import type { ImageFormat } from "../runtime/engine.js";
import { checkImageFile } from "./image-file.js";

/**
 * An image that is ready to be copied into the engine's heap.
 */
export interface PreparedImage {
  /** How many bytes `write` writes. */
  bytes: number;
  /** What those bytes are. */
  format: ImageFormat;
  /** Fills `target` and releases the image's memory; once only. Adds its time to `decodeMs`. */
  write(target: Uint8Array): void;
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
      return {
        bytes: data.length,
        format: { format, width, height },
        write: (target) => target.set(data),
        decodeMs: 0,
      };
    }
    case "bitmap":
      return bitmapImage(image.bitmap, performance.now());
    case "encoded": {
      const { source } = image;
      const opened = await openSource(source, signal, openPath);
      const file = await readWhole(opened, maxFileBytes, "invalid_image");
      if (signal.aborted) throw abortedError("the question", signal);
      const began = performance.now();
      if (exact || typeof OffscreenCanvas !== "function") {
        return {
          bytes: file.length,
          format: { format: "encoded" },
          write: (target) => target.set(file),
          decodeMs: 0,
        };
      }
      checkImageFile(file);
      // A Blob is decoded as it is, not copied into another. slice() removes its type: the bytes
      // decide the format.
      const blob = source.kind === "blob" ? source.blob.slice() : new Blob([file]);
      return bitmapImage(await decodeBitmap(blob), began);
    }
  }
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
  const image: PreparedImage = {
    bytes: width * height * 4,
    format: { format: "rgba", width, height },
    write(target) {
      const from = performance.now();
      // Read once and never shown: willReadFrequently keeps the canvas in main memory instead of
      // on the GPU.
      readPixels(bitmap, width, height, target, (w, h) =>
        new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true }),
      );
      bitmap.close();
      image.decodeMs += performance.now() - from;
    },
    decodeMs: performance.now() - began,
  };
  return image;
}
