// Reads the RGBA pixels of anything that a canvas can draw: in the worker or, where workers have no
// canvas (iOS 15), on the page.

import { TinyVLMError } from "../protocol/errors.js";

/** The drawing context of either kind of canvas. */
export type Context2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

// The engine's limit (cpp/image/image.cc), checked before a browser allocates the pixels.
const maxPixels = 268_435_456;

// Browsers limit the area of a canvas (iOS: 16 megapixels) and draw nothing beyond it: larger
// images are read tile by tile.
const tileSide = 2048;

/** Throws `invalid_image` unless `width` × `height` pixels is an image that the engine takes. */
export function checkImageSize(width: number, height: number): void {
  if (!(width >= 1 && height >= 1))
    throw new TinyVLMError(
      "invalid_image",
      `wanted an image of 1 × 1 pixels or more, found ${width} × ${height}`,
    );
  if (width * height > maxPixels)
    throw new TinyVLMError(
      "invalid_image",
      `wanted an image of at most ${maxPixels} pixels, found ${width} × ${height}`,
    );
}

/**
 * Writes `source`, `width` × `height` pixels in size, to `target` as RGBA rows without padding,
 * alpha not premultiplied, in sRGB. `makeContext` makes a canvas of the size it is given. Throws
 * `invalid_image` where the image may not be read (another origin).
 */
export function readPixels(
  source: CanvasImageSource,
  width: number,
  height: number,
  target: Uint8Array,
  makeContext: (width: number, height: number) => Context2D | null,
): void {
  const context = makeContext(Math.min(width, tileSide), Math.min(height, tileSide));
  if (!context)
    throw new TinyVLMError(
      "out_of_memory",
      "the browser has no canvas to read the image with: close other tabs, or use a smaller image",
    );
  for (let y = 0; y < height; y += tileSide) {
    const rows = Math.min(tileSide, height - y);
    for (let x = 0; x < width; x += tileSide) {
      const columns = Math.min(tileSide, width - x);
      context.clearRect(0, 0, columns, rows);
      context.drawImage(source, x, y, columns, rows, 0, 0, columns, rows);
      const { data } = readTile(context, columns, rows);
      if (columns === width) {
        target.set(data, y * width * 4);
        continue;
      }
      for (let row = 0; row < rows; row++)
        target.set(
          data.subarray(row * columns * 4, (row + 1) * columns * 4),
          ((y + row) * width + x) * 4,
        );
    }
  }
}

function readTile(context: Context2D, columns: number, rows: number): ImageData {
  try {
    return context.getImageData(0, 0, columns, rows);
  } catch (cause) {
    throw new TinyVLMError(
      "invalid_image",
      "wanted an image that this page may read, found one of another origin " +
        '(load it with crossorigin="anonymous")',
      { cause },
    );
  }
}
