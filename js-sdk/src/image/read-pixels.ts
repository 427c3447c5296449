// Reads the RGBA pixels of anything that a canvas can draw, strip by strip: in the worker or, where
// workers have no canvas (iOS 15), on the page.

import { TinyVLMError } from "../protocol/errors.js";

/** The drawing context of either kind of canvas. */
export type Context2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

// The engine's limit (cpp/image/image.cc), checked before a browser allocates the pixels.
const maxPixels = 268_435_456;

// Browsers limit the size of a canvas (iOS: 16 megapixels; others: a side of 16,384 pixels and
// more) and draw nothing beyond it: larger images are read tile by tile.
const tileWidth = 8192;
const tileArea = 2048 * 2048;

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
 * Reads `source`, `width` × `height` pixels in size, as RGBA rows without padding, alpha not
 * premultiplied, in sRGB. `makeContext` makes a canvas of the size it is given.
 */
export class PixelReader {
  readonly #source: CanvasImageSource;
  readonly #width: number;
  readonly #height: number;
  readonly #makeContext: (width: number, height: number) => Context2D | null;
  #canvas: { context: Context2D; columns: number; rows: number } | undefined;

  constructor(
    source: CanvasImageSource,
    width: number,
    height: number,
    makeContext: (width: number, height: number) => Context2D | null,
  ) {
    this.#source = source;
    this.#width = width;
    this.#height = height;
    this.#makeContext = makeContext;
  }

  /**
   * Fills `target` with whole rows, from row `first` on. Throws `invalid_image` where the image may
   * not be read (another origin), `out_of_memory` where there is no canvas.
   */
  read(first: number, target: Uint8Array): void {
    const width = this.#width;
    const end = first + target.length / (width * 4);
    const { context, columns: most, rows: mostRows } = this.#canvasFor(end - first);
    for (let y = first; y < end; y += mostRows) {
      const rows = Math.min(mostRows, end - y);
      for (let x = 0; x < width; x += most) {
        const columns = Math.min(most, width - x);
        context.clearRect(0, 0, columns, rows);
        context.drawImage(this.#source, x, y, columns, rows, 0, 0, columns, rows);
        const { data } = readTile(context, columns, rows);
        const at = (row: number) => ((y - first + row) * width + x) * 4;
        if (columns === width) {
          target.set(data, at(0));
          continue;
        }
        for (let row = 0; row < rows; row++)
          target.set(data.subarray(row * columns * 4, (row + 1) * columns * 4), at(row));
      }
    }
  }

  // The canvas, as high as the first strip, which none of the later ones exceeds.
  #canvasFor(wantedRows: number) {
    if (this.#canvas) return this.#canvas;
    const columns = Math.min(this.#width, tileWidth);
    const rows = Math.min(wantedRows, this.#height, Math.floor(tileArea / columns));
    const context = this.#makeContext(columns, rows);
    if (!context)
      throw new TinyVLMError(
        "out_of_memory",
        "the browser has no canvas to read the image with: close other tabs, or use a smaller image",
      );
    return (this.#canvas = { context, columns, rows });
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
