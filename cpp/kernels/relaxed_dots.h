// The two int8 dot-product instructions of relaxed SIMD (wasm), and which of them is faster on this
// machine.
#ifndef TINYVLM_KERNELS_RELAXED_DOTS_H_
#define TINYVLM_KERNELS_RELAXED_DOTS_H_

#include <cstdint>

namespace tinyvlm {

// Which of them GemmI8 uses. Both give the same results on every machine. Builds without relaxed
// SIMD have one instruction per target, and ignore the choice.
enum class RelaxedDot {
  kFaster,  // kFour where HasFastDotAdd, else kTwo
  kTwo,     // i16x8.relaxed_dot_i8x16_i7x16: sums of two products
  kFour,    // i32x4.relaxed_dot_i8x16_i7x16_add: sums of four products
};

// What i32x4.relaxed_dot_i8x16_i7x16_add gives for operands outside of its definition, added to 0:
// the results tell which instructions it is compiled to.
struct RelaxedDotResults {
  int32_t lowest_by_all_ones;  // first operand -128, second operand 0xff, in every byte
  int32_t lowest_by_lowest;    // both operands -128
};

// True where these are results of a single instruction, which adds four products in 32 bits.
// Elsewhere the sum of four passes through sums of two in 16 bits, which cannot hold every product.
//
//   instructions               -128 by 0xff        -128 by -128
//   vpdpbusd                   4 * -128 * 255      (not needed)
//   vpdpbssd, sdot             4 * -128 * -1       4 * 128 * 128
//   pmaddubsw, pmaddwd, ...    -65536 (saturated)  (not needed)
//   smull, addp, ...           4 * -128 * -1       -65536 (wrapped)
constexpr bool IsSingleInstruction(const RelaxedDotResults& results) {
  if (results.lowest_by_all_ones < 0) return results.lowest_by_all_ones == 4 * -128 * 255;
  return results.lowest_by_lowest == 4 * 128 * 128;
}

#ifdef __wasm_relaxed_simd__

// Computes them `repeats` times.
RelaxedDotResults MeasureRelaxedDot(int repeats);

// Whether RelaxedDot::kFour is a single instruction here, and with it the faster one. No clock is
// involved.
//
// The answer may change once, from false to true: V8's first compiler does not use sdot, its second
// one does. "True" is remembered for the rest of the process: it is a property of the machine.
bool HasFastDotAdd();

#endif

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_RELAXED_DOTS_H_
