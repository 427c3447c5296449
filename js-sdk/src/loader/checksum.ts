// A quick checksum of bytes that were kept on the device. It finds what a storage loses or alters,
// not what somebody forges: what is kept was compared with its SHA-256 before. SHA-256 takes thirty
// times as long, and Chromium computes one at a time.

/** Bytes of a checksum. */
export const checksumBytes = 8;

const factor = 0x9e3779b1; // odd: 2^32 by the golden ratio
const lanes = 8;

// One to one in the word and in what was mixed before; the rotation lets high bits reach low ones.
function mix(before: number, word: number): number {
  const product = Math.imul(before ^ word, factor);
  return (product << 13) | (product >>> 19);
}

/**
 * The checksum of any number of bytes. Bytes that differ in one aligned word of four never have the
 * same one; others have it once in 2^32 pairs or less.
 */
export function checksum(bytes: Uint8Array): Uint8Array {
  // Words are read where they lie aligned.
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const whole = length - (length % (4 * lanes));
  const words = new Int32Array(buffer, byteOffset, whole / 4);
  // One lane after the other in variables: an array of them takes four times as long.
  let [a, b, c, d, e, f, g, h] = [1, 2, 3, 4, 5, 6, 7, 8];
  for (let at = 0; at < words.length; at += lanes) {
    a = mix(a, words[at]!);
    b = mix(b, words[at + 1]!);
    c = mix(c, words[at + 2]!);
    d = mix(d, words[at + 3]!);
    e = mix(e, words[at + 4]!);
    f = mix(f, words[at + 5]!);
    g = mix(g, words[at + 6]!);
    h = mix(h, words[at + 7]!);
  }
  const rest = new Uint8Array(buffer, byteOffset + whole, length - whole);
  const all = [a, b, c, d, e, f, g, h, ...rest, length];
  const sums = [all.reduce(mix, 0), all.reduceRight(mix, 0)];
  return new Uint8Array(new Int32Array(sums).buffer);
}
