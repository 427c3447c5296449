// The decoder of a FastVLM model file as a GGUF of its own, as llama.cpp reads it: same bytes of
// weights, same tokenizer, architecture qwen2.
import { closeSync, openSync, readSync, renameSync, writeSync } from "node:fs";

const HEADER_BYTES = 64 << 20; // more than a header with its vocabulary takes
const SCALAR_BYTES = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const STRING = 8;
const ARRAY = 9;

/** Walks through a GGUF header. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  u32() {
    this.at += 4;
    return this.bytes.readUInt32LE(this.at - 4);
  }

  u64() {
    this.at += 8;
    return Number(this.bytes.readBigUInt64LE(this.at - 8));
  }

  string() {
    const length = this.u64();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  skipValue(type) {
    if (type === STRING) this.string();
    else if (type === ARRAY) {
      const items = this.u32();
      const count = this.u64();
      if (SCALAR_BYTES[items]) this.at += SCALAR_BYTES[items] * count;
      else for (let i = 0; i < count; ++i) this.skipValue(items);
    } else this.at += SCALAR_BYTES[type];
  }
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

const string = (text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
const roundUp = (value, step) => Math.ceil(value / step) * step;

/** Writes the decoder of the FastVLM file `from`, with its tokenizer, to `to`. */
export function writeTextModel(from, to) {
  const input = openSync(from, "r");
  const head = Buffer.alloc(HEADER_BYTES);
  const reader = new Reader(head.subarray(0, readSync(input, head, 0, HEADER_BYTES, 0)));
  if (reader.u32() !== 0x46554747 || reader.u32() !== 3)
    throw new Error(`${from}: a GGUF file of version 3 wanted`);
  const tensorCount = reader.u64();
  const valueCount = reader.u64();

  const values = [Buffer.concat([string("general.architecture"), u32(STRING), string("qwen2")])];
  let alignment = 32;
  for (let i = 0; i < valueCount; ++i) {
    const start = reader.at;
    const key = reader.string();
    const type = reader.u32();
    if (key === "general.alignment") alignment = head.readUInt32LE(reader.at);
    reader.skipValue(type);
    if (/^(qwen2|tokenizer)\.|^general\.(alignment|name)$/.test(key))
      values.push(head.subarray(start, reader.at));
  }
  const tensors = [];
  for (let i = 0; i < tensorCount; ++i) {
    const name = reader.string();
    const start = reader.at;
    const rank = reader.u32();
    reader.at += rank * 8 + 4;
    const shapeAndType = head.subarray(start, reader.at);
    tensors.push({ name, shapeAndType, offset: reader.u64() });
  }
  const dataStart = roundUp(reader.at, alignment);

  // The decoder stands behind the tower and the projector, in one piece up to the end of the file.
  const kept = tensors
    .filter(({ name }) => !/^(v|mm)\./.test(name))
    .sort((a, b) => a.offset - b.offset);
  const first = kept[0].offset;
  if (tensors.some((tensor) => tensor.offset > first && !kept.includes(tensor)))
    throw new Error(`${from}: tensors of the tower behind the decoder`);
  const infos = kept.map(({ name, shapeAndType, offset }) =>
    Buffer.concat([string(name), shapeAndType, u64(offset - first)]),
  );
  const header = Buffer.concat([
    u32(0x46554747),
    u32(3),
    u64(kept.length),
    u64(values.length),
    ...values,
    ...infos,
  ]);

  const output = openSync(`${to}.partial`, "w");
  writeSync(
    output,
    Buffer.concat([header, Buffer.alloc(roundUp(header.length, alignment) - header.length)]),
  );
  const piece = Buffer.alloc(8 << 20);
  for (let at = dataStart + first; ;) {
    const count = readSync(input, piece, 0, piece.length, at);
    if (count === 0) break;
    writeSync(output, piece, 0, count);
    at += count;
  }
  closeSync(output);
  closeSync(input);
  renameSync(`${to}.partial`, to);
}
