#include "kernels/relaxed_dots.h"

#ifdef __wasm_relaxed_simd__

#include <wasm_simd128.h>

#include <atomic>

namespace tinyvlm {

namespace {

// V8 recompiles a function after some megabytes of its first code have run. HasFastDotAdd is called
// rarely, so that its first calls repeat the measurement until that has certainly happened: a few
// microseconds each.
constexpr int kWarmUpCalls = 128;
constexpr int kWarmUpRepeats = 4096;

// One sum of four equal products, `repeats` times. The factors come from memory and the function is
// not inlined, so that no compiler can compute the result beforehand.
[[gnu::noinline]] int32_t SumOfFour(const int8_t* signed_factor, const int8_t* seven_bit_factor,
                                    int repeats) {
  v128_t sums = wasm_i32x4_const_splat(0);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    asm volatile("" : "+r"(signed_factor), "+r"(seven_bit_factor));
    sums = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load8_splat(signed_factor),
                                                  wasm_v128_load8_splat(seven_bit_factor),
                                                  wasm_i32x4_const_splat(0));
  }
  return wasm_i32x4_extract_lane(sums, 0);
}

}  // namespace

RelaxedDotResults MeasureRelaxedDot(int repeats) {
  const int8_t lowest = -128, all_ones = -1;
  return {SumOfFour(&lowest, &all_ones, repeats), SumOfFour(&lowest, &lowest, repeats)};
}

bool HasFastDotAdd() {
  static std::atomic<bool> found{false};
  static std::atomic<int> calls{0};
  if (found.load(std::memory_order_relaxed)) return true;
  const bool warming_up = calls.load(std::memory_order_relaxed) < kWarmUpCalls;
  if (warming_up) calls.fetch_add(1, std::memory_order_relaxed);
  if (!IsSingleInstruction(MeasureRelaxedDot(warming_up ? kWarmUpRepeats : 1))) return false;
  found.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace tinyvlm

#endif
