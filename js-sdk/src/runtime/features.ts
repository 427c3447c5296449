// Which builds this machine can run, tested in the worker itself. A build that passes here must
// still pass its own self-test (module.ts).

import { isRelaxed, isThreaded, type Variant } from "../protocol/values.js";

// A module of one function, `i8x16.popcnt(i8x16.splat(0))`: it validates only where 128-bit SIMD is
// supported.
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

// Likewise with f32x4.relaxed_madd and i16x8.relaxed_dot_i8x16_i7x16_s. The third instruction of
// relaxed SIMD that the engine uses, i32x4.relaxed_dot_i8x16_i7x16_add_s, is part of the same
// proposal.
const relaxedProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 123, 1, 123, 3, 2, 1, 0, 10, 18, 1, 16, 0, 32, 0, 32,
  0, 32, 0, 32, 0, 253, 146, 2, 253, 133, 2, 11,
]);

/** Why `variant` cannot run here, or undefined where it may. */
export function reasonAgainst(variant: Variant, inNode: boolean): string | undefined {
  if (typeof WebAssembly !== "object") return "WebAssembly is not supported here";
  if (variant !== "scalar" && !WebAssembly.validate(simdProbe)) return "SIMD is not supported here";
  if (isRelaxed(variant) && !WebAssembly.validate(relaxedProbe))
    return "relaxed SIMD is not supported here";
  if (isThreaded(variant) && !inNode) {
    if (typeof SharedArrayBuffer !== "function" || !globalThis.crossOriginIsolated)
      return "threads need SharedArrayBuffer, on a cross-origin isolated page";
    if (typeof Worker !== "function") return "a worker cannot start further workers here";
  }
  return undefined;
}
