import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { checkImageFile } from "../src/worker/image-file.js";

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

const png = Buffer.concat([
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
  chunk("IHDR", Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0])),
  chunk("IDAT", deflateSync(Buffer.from([0, 1, 2, 3]))),
  chunk("IEND", Buffer.alloc(0)),
]);

// Start, one segment that holds an end marker of its own (a thumbnail), a scan, its data, the end.
const jpeg = Buffer.from([
  0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 1, 2, 0xff, 0xda, 0, 3, 1, 0x12, 0xff, 0x00, 0x34, 0xff,
  0xd9,
]);

test("whole images pass, also with bytes after their end", () => {
  for (const file of [
    png,
    jpeg,
    Buffer.concat([png, Buffer.from("more")]),
    Buffer.concat([jpeg, Buffer.from("more")]),
  ])
    checkImageFile(file);
  checkImageFile(Buffer.from("GIF89a")); // another format: the browser's to judge
});

test("a PNG that is cut anywhere is refused", () => {
  for (let length = 8; length < png.length; length++)
    assert.throws(
      () => checkImageFile(png.subarray(0, length)),
      { code: "invalid_image" },
      `${length} bytes`,
    );
});

test("a JPEG that is cut anywhere is refused, also where its thumbnail is whole", () => {
  for (let length = 3; length < jpeg.length; length++)
    assert.throws(
      () => checkImageFile(jpeg.subarray(0, length)),
      { code: "invalid_image" },
      `${length} bytes`,
    );
});

test("a PNG with a changed byte is refused by its checksum", () => {
  for (let position = 12; position < png.length; position++) {
    const broken = Buffer.from(png);
    broken[position]! ^= 1;
    assert.throws(() => checkImageFile(broken), { code: "invalid_image" }, `byte ${position}`);
  }
});

test("nothing at all is refused", () => {
  assert.throws(() => checkImageFile(new Uint8Array()), { code: "invalid_image" });
});
