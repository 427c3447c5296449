// Another version of a model file, for servers on which the file changes.

import { createHash } from "node:crypto";

const alignment = 64;
// After the name of a key of bytes: its type (array), that of its elements (u8), their number.
const arrayHeadBytes = 4 + 4 + 8;

/**
 * The model of `file` with one bit of each KiB of its weights changed; all hashes are right.
 * @param {Uint8Array} file  as `tiny-vlm convert` writes it: the hashes are the last of its keys
 */
export function otherWeights(file) {
  const model = Buffer.from(file);
  const data = model.subarray(Math.ceil(endOfTensors(model) / alignment) * alignment);
  for (let at = 0; at < data.length; at += 1024) data.writeUInt8(data.readUInt8(at) ^ 1, at);

  const chunkBytes = model.readUInt32LE(behindKey(model, "tinyvlm.chunk_size") + 4);
  const hashesAt = behindKey(model, "tinyvlm.chunk_sha256") + arrayHeadBytes;
  for (let begin = 0; begin < data.length; begin += chunkBytes)
    sha256(data.subarray(begin, begin + chunkBytes)).copy(
      model,
      hashesAt + (32 * begin) / chunkBytes,
    );
  const header = model.subarray(0, model.length - data.length);
  const hashAt = behindKey(model, "tinyvlm.header_sha256") + arrayHeadBytes;
  header.fill(0, hashAt, hashAt + 32);
  sha256(header).copy(header, hashAt);
  return model;
}

/** @param {Uint8Array} bytes */
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/**
 * Where the type of a key's value lies.
 * @param {Buffer} model
 * @param {string} key
 */
function behindKey(model, key) {
  const at = model.indexOf(key);
  if (at < 0) throw new Error(`wanted a model file with ${key}`);
  return at + key.length;
}

/**
 * Where the list of tensors ends: it follows the last key.
 * @param {Buffer} model
 */
function endOfTensors(model) {
  let at = behindKey(model, "tinyvlm.header_sha256") + arrayHeadBytes + 32;
  for (let left = model.readBigUInt64LE(8); left > 0n; left--) {
    at += 8 + Number(model.readBigUInt64LE(at)); // the name
    at += 4 + 8 * model.readUInt32LE(at); // the shape
    at += 4 + 8; // type and offset
  }
  return at;
}
