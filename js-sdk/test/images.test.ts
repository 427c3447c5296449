// Images on their way to the engine, with a browser's decoder that only records what it is given.

import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import type { ByteSource } from "../src/protocol/messages.js";
import { prepareImage } from "../src/worker/images.js";

const never = new AbortController().signal;
// The signature of a GIF: a format that is the decoder's to judge.
const file = Uint8Array.from(Buffer.from("GIF89a and more"));

let decoded: Blob[] = [];
let closed = 0;

before(() => {
  const context = {
    clearRect() {},
    drawImage() {},
    getImageData: () => ({ data: new Uint8ClampedArray(24).fill(9) }),
  };
  Object.assign(globalThis, {
    OffscreenCanvas: class {
      getContext = () => context;
    },
    async createImageBitmap(blob: Blob) {
      decoded.push(blob);
      return { width: 3, height: 2, close: () => closed++ };
    },
  });
});
beforeEach(() => {
  decoded = [];
  closed = 0;
});

const prepare = (source: ByteSource, exact = false) =>
  prepareImage({ kind: "encoded", source }, exact, never, undefined);

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
    image.read(0, pixels);
    assert.deepEqual(pixels, new Uint8Array(24).fill(9));
    image.release();
  }
  assert.equal(closed, sources.length);
});

test("a damaged file is refused before it is decoded", async () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10);
  await assert.rejects(prepare({ kind: "blob", blob: new Blob([png]), name: "a blob" }), {
    code: "invalid_image",
    message: /before its IEND chunk/,
  });
  assert.equal(decoded.length, 0);
});

test("the exact mode hands the file itself to the engine", async () => {
  const image = await prepare({ kind: "blob", blob: new Blob([file]), name: "a blob" }, true);
  assert.deepEqual(image.format, { format: "encoded" });
  assert.equal(image.bytes, file.length);
  const target = new Uint8Array(4);
  image.read(3, target);
  assert.deepEqual(target, file.subarray(3, 7));
  assert.equal(decoded.length, 0);
});
