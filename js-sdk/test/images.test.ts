// Images on their way to the engine, with a browser's decoder that only records what it is given.

import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import { canvasIsTrue } from "../src/image/canvas-test.js";
import type { ByteSource, WireImage } from "../src/protocol/messages.js";
import type { ImageReport } from "../src/runtime/engine.js";
import { prepareImage, type ImageSetting } from "../src/worker/images.js";

const file = Uint8Array.from(Buffer.from("GIF89a and more"));

let decoded: Blob[] = [];
let drawn: { file: Blob; svg: boolean }[] = [];
let closed = 0;
let refuses = false;

// A canvas that gives back what was drawn, or what was decoded: nines.
before(() => {
  const drawnPixels = new Map<string, number[]>();
  const context = {
    fillStyle: "",
    clearRect() {},
    fillRect(x: number, y: number) {
      drawnPixels.set(`${x},${y}`, context.fillStyle.match(/\d+/g)!.map(Number));
    },
    drawImage() {},
    getImageData(_x: number, _y: number, width: number, height: number) {
      const data = new Uint8ClampedArray(width * height * 4).fill(9);
      if (width === 16)
        for (const [place, colour] of drawnPixels) {
          const [x, y] = place.split(",").map(Number) as [number, number];
          data.set([...colour, 255], (y * width + x) * 4);
        }
      return { data };
    },
  };
  Object.assign(globalThis, {
    OffscreenCanvas: class {
      getContext = () => context;
    },
    async createImageBitmap(blob: Blob) {
      decoded.push(blob);
      if (refuses) throw new Error("unknown to the browser");
      return { width: 3, height: 2, close: () => closed++ };
    },
  });
});
beforeEach(() => {
  decoded = [];
  drawn = [];
  closed = 0;
  refuses = false;
});

const setting = (report: Partial<ImageReport> = {}, more: Partial<ImageSetting> = {}) =>
  ({
    exact: false,
    signal: new AbortController().signal,
    platform: { openPath: undefined, decodeImage: undefined },
    inspect: () => ({ format: "GIF", whole: true, warnings: [], ...report }),
    async draw(blob, svg) {
      drawn.push({ file: blob, svg });
      return { kind: "pixels", format: "rgb", width: 1, height: 1, data: new Uint8Array(3) };
    },
    ...more,
  }) satisfies ImageSetting as ImageSetting;

const blobSource = (): ByteSource => ({ kind: "blob", blob: new Blob([file]), name: "a blob" });
const prepare = (source: ByteSource, how = setting()) =>
  prepareImage({ kind: "encoded", source }, how);

test("the decoder gets the file's bytes without a type, from every source", async () => {
  const blob = new Blob([file], { type: "text/plain" });
  const stream = blob.stream() as ReadableStream<Uint8Array>;
  const sources: ByteSource[] = [
    { kind: "blob", blob, name: "a blob" },
    { kind: "stream", stream, size: file.length, name: "a stream" },
    { kind: "url", url: `data:image/gif;base64,${Buffer.from(file).toString("base64")}` },
  ];
  for (const source of sources) {
    const image = await prepare(source);
    assert.deepEqual(
      [image.bytes, image.format],
      [24, { format: "rgba", width: 3, height: 2 }],
      source.kind,
    );
    const given = decoded.at(-1)!;
    assert.equal(given.type, "", source.kind);
    assert.deepEqual(new Uint8Array(await given.arrayBuffer()), file, source.kind);
    const pixels = new Uint8Array(24);
    const before = image.decodeMs;
    image.read(0, pixels);
    assert.ok(image.decodeMs > before, "reading counts as decoding");
    assert.deepEqual(pixels, new Uint8Array(24).fill(9));
    image.release();
  }
  assert.equal(closed, sources.length);
});

test("a file whose inspection fails is never decoded", async () => {
  const inspect = () => {
    throw new Error("the IDAT chunk is damaged");
  };
  await assert.rejects(prepare(blobSource(), setting({}, { inspect })), /IDAT chunk is damaged/);
  assert.equal(decoded.length, 0);
});

test("warnings of a file that the browser decodes come with the image", async () => {
  const warnings = ["3 bytes follow the end"];
  assert.deepEqual((await prepare(blobSource(), setting({ warnings }))).warnings, warnings);
});

test("a damaged JPEG is the engine's to decode", async () => {
  const image = await prepare(blobSource(), setting({ format: "JPEG", whole: false }));
  assert.deepEqual(image.format, { format: "encoded" });
  assert.equal(decoded.length, 0);
});

test("what the browser refuses is the engine's, or named", async () => {
  refuses = true;
  for (const format of ["PNG", "JPEG"])
    assert.equal((await prepare(blobSource(), setting({ format }))).format.format, "encoded");
  for (const [format, message] of [
    ["HEIC", /does not decode this HEIC: Error: unknown .*export it as JPEG/],
    ["", /does not decode this file: Error: unknown to the browser$/],
  ] as const)
    await assert.rejects(prepare(blobSource(), setting({ format })), {
      code: "invalid_image",
      message,
    });
});

test("an SVG image is drawn by the page", async () => {
  const image = await prepare(blobSource(), setting({ format: "SVG" }));
  assert.deepEqual(image.format, { format: "rgb", width: 1, height: 1 });
  assert.deepEqual(
    drawn.map(({ svg }) => svg),
    [true],
  );
  assert.equal(decoded.length, 0);
});

test("in Node other formats go to the platform's decoder, PNG and JPEG to the engine", async () => {
  const asked: string[] = [];
  const pixels: WireImage = {
    kind: "pixels",
    format: "rgba",
    width: 1,
    height: 1,
    data: new Uint8Array(4),
  };
  const platform = {
    openPath: undefined,
    async decodeImage(_: Uint8Array, format: string) {
      asked.push(format);
      return format === "GIF" ? pixels : undefined;
    },
  };
  for (const [format, expected] of [
    ["GIF", "rgba"],
    ["PDF", "encoded"],
    ["PNG", "encoded"],
    ["JPEG", "encoded"],
  ] as const) {
    const image = await prepare(blobSource(), setting({ format }, { platform }));
    assert.equal(image.format.format, expected, format);
  }
  assert.deepEqual(asked, ["GIF", "PDF"]);
});

test("the exact mode hands the file itself to the engine", async () => {
  const image = await prepare(blobSource(), setting({}, { exact: true }));
  assert.deepEqual(image.format, { format: "encoded" });
  assert.equal(image.bytes, file.length);
  const target = new Uint8Array(4);
  image.read(3, target);
  assert.deepEqual(target, file.subarray(3, 7));
  assert.equal(decoded.length, 0);
});

test("a canvas that gives back what was drawn is trusted", () => {
  assert.equal(canvasIsTrue(), true);
});
