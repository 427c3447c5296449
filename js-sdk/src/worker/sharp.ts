// Image formats that the engine does not decode, in Node: by the package sharp, where the program has
// it.

import { describeReason, TinyVLMError } from "../protocol/errors.js";
import type { WireImage } from "../protocol/messages.js";

/** The part of sharp that is used here. */
interface Sharp {
  rotate(): Sharp;
  toColourspace(space: "srgb"): Sharp;
  ensureAlpha(): Sharp;
  raw(): Sharp;
  toBuffer(options: { resolveWithObject: true }): Promise<{
    data: Uint8Array;
    info: { width: number; height: number };
  }>;
}

// By the engine's names. Which of them sharp knows depends on how its libvips was built.
const formats = new Set(["WebP", "AVIF", "GIF", "TIFF", "BMP", "HEIC", "JPEG XL", "JPEG 2000"]);

/**
 * The first frame of an image file, upright and in sRGB; undefined for what is no image. Errors:
 * `invalid_image` where sharp is missing or does not decode it.
 */
export async function decodeWithSharp(
  file: Uint8Array,
  format: string,
): Promise<WireImage | undefined> {
  if (format === "SVG")
    throw new TinyVLMError(
      "invalid_image",
      "this is an SVG image, which only a page draws by itself: make a PNG of it first, such as " +
        "with sharp(file, { density: 300 }).png().toBuffer()",
    );
  if (!formats.has(format)) return undefined;
  const article = /^A/.test(format) ? "an" : "a";
  // Patents keep the decoder of HEIC out of sharp's own builds.
  const convert = format === "HEIC" ? "export it as JPEG" : "convert it to PNG or JPEG";
  let sharp: (file: Uint8Array) => Sharp;
  try {
    ({ default: sharp } = (await import("sharp" as string)) as { default: typeof sharp });
  } catch (cause) {
    throw new TinyVLMError(
      "invalid_image",
      `this is ${article} ${format} image; in Node, PNG and JPEG are decoded here, and other ` +
        `formats where the package sharp is installed (npm install sharp); or ${convert}`,
      { cause },
    );
  }
  try {
    const upright = sharp(file).rotate().toColourspace("srgb").ensureAlpha();
    const { data, info } = await upright.raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    return { kind: "pixels", format: "rgba", width, height, data };
  } catch (cause) {
    throw new TinyVLMError(
      "invalid_image",
      `this is ${article} ${format} image, which sharp does not decode here: ` +
        `${describeReason(cause)}; ${convert}`,
      { cause },
    );
  }
}
