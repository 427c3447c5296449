// Reading an image through a canvas: every pixel once, whatever the strips and tiles.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PixelReader, type Context2D } from "../src/image/read-pixels.js";

// The pixel (x, y) of the image that the canvas is said to draw.
const pixel = (x: number, y: number) => [x & 255, x >> 8, y & 255, 255];

// Canvases that know where the part that was drawn last lies in the image.
function canvases() {
  const made: [number, number][] = [];
  let drawn = { x: 0, y: 0, columns: 0, rows: 0 };
  const make = (width: number, height: number) => {
    made.push([width, height]);
    return {
      clearRect() {},
      drawImage(_: unknown, x: number, y: number, columns: number, rows: number) {
        assert.ok(columns <= width && rows <= height, "drawn beyond the canvas");
        drawn = { x, y, columns, rows };
      },
      getImageData(left: number, top: number, columns: number, rows: number) {
        assert.deepEqual([left, top, columns, rows], [0, 0, drawn.columns, drawn.rows]);
        const data = new Uint8ClampedArray(columns * rows * 4);
        for (let y = 0; y < rows; y++)
          for (let x = 0; x < columns; x++)
            data.set(pixel(drawn.x + x, drawn.y + y), (y * columns + x) * 4);
        return { data };
      },
    } as unknown as Context2D;
  };
  return { made, make };
}

const source = {} as CanvasImageSource;

function checkRows(width: number, first: number, rows: Uint8Array) {
  for (let i = 0; i < rows.length; i += 4) {
    const wanted = pixel((i / 4) % width, first + Math.floor(i / 4 / width));
    for (let c = 0; c < 4; c++)
      if (rows[i + c] !== wanted[c]) assert.fail(`byte ${c} of pixel ${i / 4}: ${rows[i + c]}`);
  }
}

test("strips of any height make up the image", () => {
  for (const [width, height] of [
    [3, 7],
    [9000, 5],
    [8192, 5],
  ] as const) {
    const { made, make } = canvases();
    const reader = new PixelReader(source, width, height, make);
    for (let first = 0; first < height; first += 2) {
      const rows = new Uint8Array(Math.min(2, height - first) * width * 4);
      reader.read(first, rows);
      checkRows(width, first, rows);
    }
    assert.deepEqual(made, [[Math.min(width, 8192), 2]], "one canvas, as high as a strip");
  }
});

test("a canvas stays below the browsers' limits, whatever is read at once", () => {
  const { made, make } = canvases();
  const [width, height] = [2500, 3000];
  const whole = new Uint8Array(width * height * 4);
  new PixelReader(source, width, height, make).read(0, whole);
  checkRows(width, 0, whole);
  assert.deepEqual(made, [[2500, Math.floor((2048 * 2048) / 2500)]]);
});

test("without a canvas the error says so", () => {
  assert.throws(() => new PixelReader(source, 1, 1, () => null).read(0, new Uint8Array(4)), {
    code: "out_of_memory",
  });
});
