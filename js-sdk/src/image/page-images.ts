// What a page draws for its worker: files that only an <img> shows (SVG), and all images where
// workers have no canvas (iOS 15). In a file of its own (page-parts.mjs), loaded when it is needed.

import { describeReason, TinyVLMError } from "../protocol/errors.js";
import type { WireImage } from "../protocol/messages.js";
import { checkImageSize, PixelReader } from "./read-pixels.js";
import { trustedMarkup } from "./trusted-markup.js";

// Of an SVG image that says neither size nor proportions (CSS's default for replaced elements).
const defaultSize = { width: 300, height: 150 };

/**
 * Draws an image file with an <img>. `svg`: it is an SVG image, which gets `side` pixels on its
 * longer side. Errors: `invalid_image`.
 */
export async function drawFile(file: Blob, svg: boolean, side: number): Promise<WireImage> {
  if (typeof document !== "object")
    throw new TinyVLMError(
      "invalid_image",
      svg
        ? "this is an SVG image, which only a page can draw, not a worker: make a PNG of it first"
        : "this worker has no canvas to decode images with",
    );
  const source = svg ? await scaledSvg(file, side) : file;
  const address = URL.createObjectURL(source);
  try {
    const element = await loaded(address, svg ? "this SVG image" : "this file");
    const { naturalWidth: width, naturalHeight: height } = element;
    return await pixels(element, width, height);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The pixels of a bitmap, which is closed. */
export async function pixelsOf(bitmap: ImageBitmap): Promise<WireImage> {
  try {
    return await pixels(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

// The same image with `side` pixels on its longer side. Browsers do not agree on what size an image
// has that does not say, and some draw nothing of it.
async function scaledSvg(file: Blob, side: number): Promise<Blob> {
  const svg = parsed(await file.text());
  const root = svg.documentElement as unknown as SVGSVGElement;
  const problem = svg.querySelector("parsererror");
  if (problem || root.localName !== "svg")
    throw new TinyVLMError(
      "invalid_image",
      `this SVG image is damaged: ${problem?.textContent?.trim() || "it has no svg element"}`,
    );
  const [, , boxWidth = 0, boxHeight = 0] = (root.getAttribute("viewBox") ?? "")
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  const hasBox = boxWidth > 0 && boxHeight > 0;
  const box = hasBox ? { width: boxWidth, height: boxHeight } : defaultSize;
  let width = lengthOf(root.width);
  let height = lengthOf(root.height);
  width ??= height === undefined || !hasBox ? box.width : (height * box.width) / box.height;
  height ??= hasBox ? (width * box.height) / box.width : box.height;
  if (!hasBox) root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const scale = side / Math.max(width, height);
  root.setAttribute("width", String(Math.max(1, Math.round(width * scale))));
  root.setAttribute("height", String(Math.max(1, Math.round(height * scale))));
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

// An SVG image as a document of its own, in which nothing runs.
function parsed(text: string): Document {
  try {
    return new DOMParser().parseFromString(trustedMarkup(text), "image/svg+xml");
  } catch (cause) {
    throw new TinyVLMError(
      "invalid_image",
      "the page's content security policy forbids reading SVG images (it needs trusted-types " +
        `tiny-vlm-svg): ${describeReason(cause)}`,
      { cause },
    );
  }
}

// In pixels; undefined where it is not given, or relative to something that is not there.
function lengthOf({ baseVal }: SVGAnimatedLength): number | undefined {
  const relative = baseVal.unitType === baseVal.SVG_LENGTHTYPE_PERCENTAGE;
  if (relative || baseVal.unitType === baseVal.SVG_LENGTHTYPE_UNKNOWN) return undefined;
  return baseVal.value > 0 ? baseVal.value : undefined;
}

async function loaded(address: string, what: string): Promise<HTMLImageElement> {
  const element = new Image();
  await new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = () =>
      reject(
        new TinyVLMError(
          "invalid_image",
          `${what} cannot be shown by this browser, or the page's content security policy ` +
            "forbids it (img-src blob:)",
        ),
      );
    element.src = address;
  });
  return element;
}

// Throws where a page may draw a bitmap, but not read it: then it cannot be sent to the worker
// either. An SVG image with a foreignObject in it is such a one.
function checkReadable(bitmap: ImageBitmap): void {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context?.drawImage(bitmap, 0, 0, 1, 1);
  context?.getImageData(0, 0, 1, 1);
}

async function pixels(
  source: CanvasImageSource,
  width: number,
  height: number,
): Promise<WireImage> {
  checkImageSize(width, height);
  if (typeof OffscreenCanvas === "function") {
    // The worker reads it, strip by strip.
    try {
      const bitmap = await createImageBitmap(source, { premultiplyAlpha: "none" });
      checkReadable(bitmap);
      return { kind: "bitmap", bitmap };
    } catch (cause) {
      throw new TinyVLMError(
        "invalid_image",
        `the image cannot be drawn: ${describeReason(cause)}`,
        { cause },
      );
    }
  }
  const data = new Uint8Array(width * height * 4);
  const reader = new PixelReader(source, width, height, (canvasWidth, canvasHeight) => {
    const canvas = Object.assign(document.createElement("canvas"), {
      width: canvasWidth,
      height: canvasHeight,
    });
    return canvas.getContext("2d", { willReadFrequently: true });
  });
  reader.read(0, data);
  return { kind: "pixels", format: "rgba", width, height, data };
}
