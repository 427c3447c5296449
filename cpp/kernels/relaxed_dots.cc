#include "kernels/relaxed_dots.h"

#ifdef __wasm_relaxed_simd__

#include <wasm_simd128.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tinyvlm {

namespace {

// V8 compiles a function anew when some megabytes of its first code have run. This one is asked
// rarely, and so it goes through its loop more often than it has to: a few microseconds each time,
// until that has happened for certain.
constexpr size_t kHeatingCalls = 128;
constexpr size_t kHeatingTurns = 4096;

// A sum of four equal products, `turns` times. The factors come from memory and the function is
// called: no compiler can do its work beforehand.
[[gnu::noinline]] int32_t SumOfFour(const int8_t* signed_factor, const int8_t* seven_bit_factor,
                                    size_t turns) {
  v128_t sums = wasm_i32x4_const_splat(0);
  for (size_t turn = 0; turn < turns; ++turn) {
    asm volatile("" : "+r"(signed_factor), "+r"(seven_bit_factor));
    sums = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load8_splat(signed_factor),
                                                  wasm_v128_load8_splat(seven_bit_factor),
                                                  wasm_i32x4_const_splat(0));
  }
  return wasm_i32x4_extract_lane(sums, 0);
}

// Where the sum of four passes through sums of two in 16 bits, those do not hold every product of
// two bytes.
bool FindFastDotAdd(size_t turns) {
  const int8_t lowest = -128, all_ones = -1;
  // As unsigned by signed bytes 4 * 255 * -128; through 16 bits that saturate 2 * -32768.
  const int32_t sum = SumOfFour(&lowest, &all_ones, turns);
  if (sum == 4 * 255 * -128) return true;
  if (sum < 0) return false;
  // As signed bytes 4 * 128 * 128; through 16 bits that wrap 2 * -32768.
  return SumOfFour(&lowest, &lowest, turns) == 4 * 128 * 128;
}

enum Answer : int { kUnknown, kFast, kSlowForTest };
std::atomic<int> known_answer{kUnknown};
std::atomic<size_t> asked{0};

}  // namespace

bool HasFastDotAdd() {
  const int answer = known_answer.load(std::memory_order_relaxed);
  if (answer != kUnknown) return answer == kFast;
  const bool heating = asked.load(std::memory_order_relaxed) < kHeatingCalls;
  if (heating) asked.fetch_add(1, std::memory_order_relaxed);
  if (!FindFastDotAdd(heating ? kHeatingTurns : 1)) return false;
  known_answer.store(kFast, std::memory_order_relaxed);
  return true;
}

FastDotAddForTest::FastDotAddForTest(bool fast) {
  known_answer.store(fast ? kFast : kSlowForTest, std::memory_order_relaxed);
}
FastDotAddForTest::~FastDotAddForTest() { known_answer.store(kUnknown, std::memory_order_relaxed); }

}  // namespace tinyvlm

#endif
