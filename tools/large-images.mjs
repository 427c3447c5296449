// Image files of any size, made quickly: their rows repeat, only their headers and checksums do
// not. The content is noise. Used where memory and time are measured by size.

import { crc32, createDeflate } from "node:zlib";

// Numbers that are the same in every run.
function randomNumbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// ---- PNG -----------------------------------------------------------------------

function chunk(type, content) {
  const out = Buffer.alloc(12 + content.length);
  out.writeUInt32BE(content.length);
  out.write(type, 4, "latin1");
  out.set(content, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + content.length)), 8 + content.length);
  return out;
}

const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** A PNG of 8-bit RGB with every kind of filter, as an array of buffers. */
export async function pngImage(width, height, { interlaced = false } = {}) {
  const random = randomNumbers(1);
  const noise = Buffer.from(Array.from({ length: 1 << 16 }, () => random(256) & 0xf8));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, interlaced ? 1 : 0], 8);
  const deflate = createDeflate({ level: 1 });
  const file = [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header)];
  const collected = (async () => {
    for await (const data of deflate) file.push(chunk("IDAT", data));
  })();
  for (const [x, y, stepX, stepY] of interlaced ? adam7 : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - x) / stepX);
    const rows = Math.ceil((height - y) / stepY);
    if (columns <= 0 || rows <= 0) continue;
    const line = Buffer.alloc(1 + columns * 3);
    for (let row = 0; row < rows; row++) {
      for (let at = 1; at < line.length; at += noise.length)
        noise.copy(line, at, (row * 97) & 4095);
      line[0] = row % 5;
      if (!deflate.write(Buffer.from(line))) await new Promise((go) => deflate.once("drain", go));
    }
  }
  deflate.end();
  await collected;
  file.push(chunk("IEND", Buffer.alloc(0)));
  return file;
}

// ---- JPEG ----------------------------------------------------------------------

class BitWriter {
  #bytes = [];
  #bits = 0;
  #count = 0;

  put(value, count) {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#bits = (this.#bits << 1) | ((value >> bit) & 1);
      if (++this.#count < 8) continue;
      this.#bytes.push(this.#bits);
      if (this.#bits === 0xff) this.#bytes.push(0);
      this.#bits = this.#count = 0;
    }
  }

  finish() {
    while (this.#count !== 0) this.put(1, 1);
    return Buffer.from(this.#bytes);
  }
}

function segment(marker, content) {
  const out = Buffer.alloc(4 + content.length);
  out.set([0xff, marker]);
  out.writeUInt16BE(2 + content.length, 2);
  out.set(content, 4);
  return out;
}

// All codes have 8 bits: a symbol's code is its place in the list.
const dcSymbols = Array.from({ length: 12 }, (_, size) => size);
const acSymbols = [0x00, 0xf0];
for (let run = 0; run < 16; run++)
  for (let size = 1; size <= 10; size++) acSymbols.push((run << 4) | size);
const acCodes = new Map(acSymbols.map((symbol, code) => [symbol, code]));
const table = (kind, symbols) =>
  segment(
    0xc4,
    Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0, symbols.length, ...Array(8).fill(0), ...symbols]),
  );

const sizeOf = (value) => 32 - Math.clz32(Math.abs(value));

function putValue(bits, value, size) {
  bits.put(value < 0 ? value + (1 << size) - 1 : value, size);
}

function putDc(bits, difference) {
  const size = sizeOf(difference);
  bits.put(dcSymbols.indexOf(size), 8);
  putValue(bits, difference, size);
}

// The coefficients first..last of a block of which `low` bit planes are left out.
function putAc(bits, block, first, last, low = 0) {
  let run = 0;
  for (let k = first; k <= last; k++) {
    const value = Math.sign(block[k]) * (Math.abs(block[k]) >> low);
    if (value === 0) {
      run++;
      continue;
    }
    for (; run > 15; run -= 16) bits.put(acCodes.get(0xf0), 8);
    const size = sizeOf(value);
    bits.put(acCodes.get((run << 4) | size), 8);
    putValue(bits, value, size);
    run = 0;
  }
  if (run > 0) bits.put(acCodes.get(0), 8);
}

// The next bit plane of coefficients that are not zero yet; no new ones appear in it.
function putAcRefinement(bits, block, low) {
  bits.put(acCodes.get(0), 8);
  for (let k = 1; k < 64; k++) {
    const magnitude = Math.abs(block[k]);
    if (magnitude >> (low + 1) !== 0) bits.put((magnitude >> low) & 1, 1);
  }
}

const variants = 8; // rows of MCUs that differ

/**
 * A JPEG (YCbCr, chroma at half the width and height), as an array of buffers. Each row of MCUs is
 * a restart interval, so that equal rows have equal bytes. Of a progressive one the luma comes in
 * five scans. `orientation`: EXIF's, 1..8.
 */
export function jpegImage(width, height, { progressive = false, orientation = 1 } = {}) {
  const random = randomNumbers(2);
  const across = Math.ceil(width / 16);
  const down = Math.ceil(height / 16);
  // Coefficients below 4 would appear in the bit planes that putAcRefinement adds.
  const least = progressive ? 4 : 1;
  const makeBlock = () => {
    const block = new Int16Array(64);
    block[0] = random(400) - 200;
    for (let k = 1 + random(4); k < 64; k += 1 + random(20))
      block[k] = (random(2) === 0 ? 1 : -1) * (least + random(12));
    return block;
  };
  // [variant][component][row of blocks][column]
  const components = [2, 1, 1];
  const rows = Array.from({ length: variants }, () =>
    components.map((factor) =>
      Array.from({ length: factor }, () => Array.from({ length: across * factor }, makeBlock)),
    ),
  );
  const file = [Buffer.from([0xff, 0xd8])];
  if (orientation !== 1) {
    const tiff = [77, 77, 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
    file.push(segment(0xe1, Buffer.from([...Buffer.from("Exif\0\0"), ...tiff, 0, 0, 0, 0])));
  }
  const steps = Array.from({ length: 64 }, (_, k) => 4 + (k >> 2));
  file.push(segment(0xdb, Buffer.from([0, ...steps])));
  const frame = Buffer.from([8, 0, 0, 0, 0, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
  frame.writeUInt16BE(height, 1);
  frame.writeUInt16BE(width, 3);
  file.push(segment(progressive ? 0xc2 : 0xc0, frame), table(0, dcSymbols), table(0x10, acSymbols));

  // A scan of some components; `put` writes a block, given the DC of the one before it.
  const emit = (ids, first, last, high, low, put) => {
    const alone = ids.length === 1;
    const factor = alone ? components[ids[0]] : 1;
    // Alone, a component has no blocks beyond the image's edges.
    const interval = alone ? Math.ceil(Math.ceil((width * factor) / 2) / 8) : across;
    const unitRows = alone ? Math.ceil(Math.ceil((height * factor) / 2) / 8) : down;
    const restart = Buffer.alloc(2);
    restart.writeUInt16BE(interval);
    file.push(segment(0xdd, restart));
    const header = [
      ids.length,
      ...ids.flatMap((id) => [id + 1, 0]),
      first,
      last,
      (high << 4) | low,
    ];
    file.push(segment(0xda, Buffer.from(header)));
    const coded = [];
    for (let variant = 0; variant < variants; variant++) {
      for (let line = 0; line < (alone ? factor : 1); line++) {
        const bits = new BitWriter();
        const before = components.map(() => 0);
        const block = (id, y, x) => {
          const found = rows[variant][id][y][x];
          put(bits, found, before[id]);
          before[id] = found[0];
        };
        for (let x = 0; x < interval; x++) {
          if (alone) block(ids[0], line, x);
          else
            for (const id of ids)
              for (let v = 0; v < components[id]; v++)
                for (let h = 0; h < components[id]; h++) block(id, v, x * components[id] + h);
        }
        coded.push(bits.finish());
      }
    }
    for (let row = 0; row < unitRows; row++) {
      if (row > 0) file.push(Buffer.from([0xff, 0xd0 + ((row - 1) % 8)]));
      file.push(coded[row % coded.length]);
    }
  };
  const all = [0, 1, 2];
  if (!progressive) {
    emit(all, 0, 63, 0, 0, (bits, block, before) => {
      putDc(bits, block[0] - before);
      putAc(bits, block, 1, 63);
    });
  } else {
    emit(all, 0, 0, 0, 1, (bits, block, before) => putDc(bits, (block[0] >> 1) - (before >> 1)));
    emit([0], 1, 5, 0, 2, (bits, block) => putAc(bits, block, 1, 5, 2));
    emit([1], 1, 63, 0, 0, (bits, block) => putAc(bits, block, 1, 63));
    emit([2], 1, 63, 0, 0, (bits, block) => putAc(bits, block, 1, 63));
    emit([0], 6, 63, 0, 2, (bits, block) => putAc(bits, block, 6, 63, 2));
    emit([0], 1, 63, 2, 1, (bits, block) => putAcRefinement(bits, block, 1));
    emit(all, 0, 0, 1, 0, (bits, block) => bits.put(block[0] & 1, 1));
    emit([0], 1, 63, 1, 0, (bits, block) => putAcRefinement(bits, block, 0));
  }
  file.push(Buffer.from([0xff, 0xd9]));
  return file;
}
