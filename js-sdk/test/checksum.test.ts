// The quick checksum of what is kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum, checksumBytes } from "../src/loader/checksum.js";
import { hexOf } from "../src/protocol/hex.js";

// Any bytes that are not alike.
const bytesOf = (length: number) =>
  Uint8Array.from({ length }, (_, at) => Math.imul(at + 1, 0x9e3779b1) >>> 24);

test("every single byte that is altered alters the checksum, wherever it lies", () => {
  for (const length of [1, 3, 4, 31, 32, 33, 100]) {
    const bytes = bytesOf(length);
    const right = hexOf(checksum(bytes));
    for (let at = 0; at < length; at++)
      for (const bit of [0, 3, 7]) {
        const altered = bytes.slice();
        altered[at]! ^= 1 << bit;
        assert.notEqual(
          hexOf(checksum(altered)),
          right,
          `${length} bytes, bit ${bit} of byte ${at}`,
        );
      }
  }
});

test("the same bit altered in two words, words exchanged, cut, zeroed, repeated", () => {
  const bytes = bytesOf(4096);
  const seen = new Map<string, string>([[hexOf(checksum(bytes)), "as it was"]]);
  const expectOther = (altered: Uint8Array, what: string) => {
    const sum = hexOf(checksum(altered));
    assert.equal(seen.get(sum), undefined, what);
    seen.set(sum, what);
  };
  for (let bit = 0; bit < 32; bit++)
    for (const apart of [4, 32, 64, 2048]) {
      const altered = bytes.slice();
      for (const at of [512, 512 + apart]) altered[at + (bit >> 3)]! ^= 1 << (bit & 7);
      expectOther(altered, `bit ${bit} of two words ${apart} bytes apart`);
    }
  for (const apart of [4, 8, 32, 1024]) {
    const altered = bytes.slice();
    altered.copyWithin(512, 512 + apart, 512 + apart + 4);
    altered.set(bytes.subarray(512, 516), 512 + apart);
    expectOther(altered, `two words ${apart} bytes apart, exchanged`);
  }
  for (const from of [0, 1024, 4064]) {
    const altered = bytes.slice();
    altered.fill(0, from, from + 1024);
    expectOther(altered, `zeros from ${from} on`);
  }
  for (const length of [0, 1, 4064, 4095])
    expectOther(bytes.subarray(0, length), `cut to ${length}`);
  expectOther(new Uint8Array(4096), "zeros");
  expectOther(new Uint8Array(4128), "more zeros");
});

test("it does not depend on where the bytes lie in memory, and has its length", () => {
  const bytes = bytesOf(999);
  const right = checksum(bytes);
  assert.equal(right.length, checksumBytes);
  for (let offset = 1; offset < 9; offset++) {
    const elsewhere = new Uint8Array(offset + bytes.length).subarray(offset);
    elsewhere.set(bytes);
    assert.deepEqual(checksum(elsewhere), right);
  }
});
