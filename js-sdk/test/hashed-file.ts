// A file with hashes, as GGUF files have them, and what takes it as the engine does.

import { createHash } from "node:crypto";
import type { ModelSink } from "../src/loader/model-file.js";
import { TinyVLMError } from "../src/protocol/errors.js";
import type { ModelLayout } from "../src/protocol/values.js";

/** Bytes of a chunk with a hash of its own. */
export const chunkBytes = 64 << 10;
const chunks = 20;
const lastChunk = 1000;
const fixedHeader = 16;

/** "HASH", sizes, the SHA-256 of each chunk, some padding; then the chunks. */
export function hashedFile(seed: number): Buffer {
  const dataBytes = (chunks - 1) * chunkBytes + lastChunk;
  const data = Buffer.alloc(dataBytes);
  for (let index = 0, state = seed; index < dataBytes; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[index] = state >>> 24;
  }
  const headerBytes = fixedHeader + 32 * chunks + 77;
  const header = Buffer.alloc(headerBytes);
  header.write("HASH");
  header.writeUInt32LE(headerBytes, 4);
  header.writeUInt32LE(headerBytes + dataBytes, 8);
  header.writeUInt32LE(chunkBytes, 12);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = data.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    createHash("sha256")
      .update(bytes)
      .digest()
      .copy(header, fixedHeader + 32 * chunk);
  }
  return Buffer.concat([header, data]);
}

/** Takes a file as the engine does: verifies what it is not told to be verified. */
export class HashedSink implements ModelSink {
  bytes = Buffer.alloc(0);
  verifiedBytes = 0;
  ended = false;

  begin(): void {
    this.bytes = Buffer.alloc(0);
    this.verifiedBytes = 0;
    this.ended = false;
  }

  append(bytes: Uint8Array, verified: boolean): "header" | "data" | "complete" {
    if (verified) this.verifiedBytes += bytes.length;
    this.bytes = Buffer.concat([this.bytes, bytes]);
    if (this.bytes.length >= 4 && this.bytes.toString("latin1", 0, 4) !== "HASH")
      throw new TinyVLMError("invalid_file", "wanted the letters HASH at byte 0");
    if (!this.#hasHeader()) return "header";
    const { fileBytes } = this.layout();
    if (this.bytes.length > fileBytes)
      throw new TinyVLMError("invalid_file", "the model file is longer than its header says");
    if (!verified) this.#checkWholeChunks();
    return this.bytes.length < fileBytes ? "data" : "complete";
  }

  // Where the file's bytes are placed before they are taken.
  #memory = new Uint8Array(0);

  place(ahead: number, bytes: number): Uint8Array<ArrayBuffer> {
    const { fileBytes } = this.layout();
    if (this.#memory.length !== fileBytes) this.#memory = new Uint8Array(fileBytes);
    const begin = this.bytes.length + ahead;
    return this.#memory.subarray(begin, begin + bytes);
  }

  takePlaced(bytes: number): void {
    this.append(this.#memory.subarray(this.bytes.length, this.bytes.length + bytes), true);
  }

  layout(): ModelLayout {
    const headerBytes = this.bytes.readUInt32LE(4);
    return {
      headerBytes,
      fileBytes: this.bytes.readUInt32LE(8),
      chunkBytes: this.bytes.readUInt32LE(12),
      chunkSha256: this.bytes.subarray(fixedHeader, fixedHeader + 32 * chunks),
    };
  }

  end(): void {
    if (!this.#hasHeader() || this.bytes.length < this.layout().fileBytes)
      throw new TinyVLMError("invalid_file", "the model file is truncated");
    this.ended = true;
  }

  #hasHeader(): boolean {
    return this.bytes.length >= fixedHeader && this.bytes.length >= this.bytes.readUInt32LE(4);
  }

  #checkWholeChunks(): void {
    const { headerBytes, chunkSha256, fileBytes } = this.layout();
    for (let chunk = 0; chunk < chunks; chunk++) {
      const begin = headerBytes + chunk * chunkBytes;
      const end = Math.min(begin + chunkBytes, fileBytes);
      if (end > this.bytes.length) return;
      const digest = createHash("sha256").update(this.bytes.subarray(begin, end)).digest();
      if (!digest.equals(chunkSha256.subarray(32 * chunk, 32 * chunk + 32)))
        throw new TinyVLMError("invalid_file", `chunk ${chunk} has another SHA-256`);
    }
  }
}
