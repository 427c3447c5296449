// Browsers draw what is left of a damaged PNG or JPEG. These checks refuse such a file first, so
// that the model is never asked about half an image.

import { TinyVLMError } from "../protocol/errors.js";

/**
 * Throws `invalid_image` where `file` is a PNG or JPEG that is truncated or fails its checksums.
 * Other formats pass.
 */
export function checkImageFile(file: Uint8Array): void {
  if (file.length === 0) throw new TinyVLMError("invalid_image", "wanted an image, found 0 bytes");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.byteLength >= 8 && view.getUint32(0) === 0x89504e47) checkPng(file, view);
  else if (view.byteLength >= 3 && view.getUint16(0) === 0xffd8) checkJpeg(file, view);
}

// Chunks of { length, type, data, CRC of type and data }, up to IEND.
function checkPng(file: Uint8Array, view: DataView): void {
  for (let position = 8; ;) {
    if (position + 12 > file.length)
      throw new TinyVLMError(
        "invalid_image",
        `the PNG ends after ${file.length} bytes, before its IEND chunk`,
      );
    const length = view.getUint32(position);
    const end = position + 8 + length;
    const type = String.fromCharCode(...file.subarray(position + 4, position + 8));
    if (end + 4 > file.length) {
      throw new TinyVLMError(
        "invalid_image",
        `the PNG's ${type} chunk at byte ${position} wants ${length} bytes, ` +
          `the file ends at ${file.length}`,
      );
    }
    if (crc32(file, position + 4, end) !== view.getUint32(end))
      throw new TinyVLMError(
        "invalid_image",
        `the PNG's ${type} chunk at byte ${position} has a wrong checksum`,
      );
    if (type === "IEND") return;
    position = end + 4;
  }
}

// Segments of { FF, type, length } up to the first scan; in a scan's data an FF is followed by 0 or
// a restart marker, so FF D9 is the end.
function checkJpeg(file: Uint8Array, view: DataView): void {
  let position = 2;
  while (position + 4 <= file.length && file[position] === 0xff && file[position + 1] !== 0xda) {
    // Fill bytes may precede a marker.
    position += file[position + 1] === 0xff ? 1 : 2 + view.getUint16(position + 2);
  }
  for (; position + 1 < file.length; position++)
    if (file[position] === 0xff && file[position + 1] === 0xd9) return;
  throw new TinyVLMError(
    "invalid_image",
    `the JPEG ends after ${file.length} bytes, before its end marker`,
  );
}

let crcTable: Uint32Array | undefined;

function crc32(bytes: Uint8Array, begin: number, end: number): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, value) => {
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    return value;
  });
  let crc = 0xffffffff;
  for (let index = begin; index < end; index++)
    crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[index]!) & 255]!;
  return ~crc >>> 0;
}
