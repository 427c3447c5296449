#include "api/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/aligned.h"
#include "kernels/gemm.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed_dots.h"
#include "tensor/quant.h"

#ifdef __wasm_relaxed_simd__
#include <wasm_simd128.h>
#endif

namespace tinyvlm {

namespace {

// Two whole panels and a partial one; several blocks; an odd number of rows, more than one register
// tile.
constexpr size_t kRows = 7, kOutputs = 37, kLength = 96;

// The same numbers on every machine: a linear congruential sequence in [-1, 1).
class Numbers {
 public:
  float Next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<int32_t>(state_)) * (1.0f / 2147483648.0f);
  }

 private:
  uint32_t state_ = 12345;
};

// A sum of kLength products of values below 1 in another order, or with a fused multiply-add, moves
// by less than kLength^2 / 2 roundings of 2^-24.
constexpr float kTolerance = 3e-4f;

Status Compare(const char* what, const float* got, const float* want) {
  for (size_t i = 0; i < kRows * kOutputs; ++i) {
    if (!(std::fabs(got[i] - want[i]) <= kTolerance)) {
      return Error(ErrorCode::kInternal, "self-test: %s: %g wanted, %g found at output %zu", what,
                   static_cast<double>(want[i]), static_cast<double>(got[i]), i);
    }
  }
  return Status();
}

#ifdef __wasm_relaxed_simd__
// The operands come from memory and the functions are not inlined, so that no compiler can compute
// the results beforehand.
[[gnu::noinline]] void DotOfTwo(const int8_t* a, const int8_t* b, int16_t* sums) {
  wasm_v128_store(sums, wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_v128_load(a), wasm_v128_load(b)));
}
[[gnu::noinline]] void AddDotOfFour(const int8_t* a, const int8_t* b, int32_t* sums) {
  wasm_v128_store(sums, wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load(a), wasm_v128_load(b),
                                                               wasm_v128_load(sums)));
}
#endif

}  // namespace

#ifdef __wasm_relaxed_simd__
// By definition the relaxed dots are exact on every machine for -128..127 by 0..127, and the
// kernels rely on it. Tests the extremes: every two products in every pair of lanes. Where the dot
// of four fails (first-tier code of Node 20 with its flag, and of Node 21), relaxed SIMD was
// experimental, and the whole build is rejected.
Status TestRelaxedDots() {
  constexpr int8_t kSigned[4] = {-128, -1, 15, 127}, kUnsigned[4] = {0, 1, 15, 127};
  constexpr size_t kProducts = 16, kLanes = 16;
  for (size_t even = 0; even < kProducts; ++even) {
    for (size_t odd = 0; odd < kProducts; ++odd) {
      alignas(16) int8_t a[kLanes], b[kLanes];
      for (size_t i = 0; i < kLanes; ++i) {
        const size_t product = ((i % 2 == 0 ? even : odd) + i / 2) % kProducts;
        a[i] = kSigned[product % 4];
        b[i] = kUnsigned[product / 4];
      }
      alignas(16) int16_t pairs[kLanes / 2];
      alignas(16) int32_t fours[kLanes / 4] = {-100000, -1, 0, 100000};
      int32_t want[kLanes / 4] = {-100000, -1, 0, 100000};
      DotOfTwo(a, b, pairs);
      AddDotOfFour(a, b, fours);
      for (size_t i = 0; i < kLanes / 2; ++i) {
        const int32_t sum = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
        if (pairs[i] != sum)
          return Error(ErrorCode::kInternal,
                       "self-test: relaxed dot product: %d wanted, %d found in lane %zu", sum,
                       pairs[i], i);
        want[i / 2] += sum;
      }
      for (size_t i = 0; i < kLanes / 4; ++i) {
        if (fours[i] == want[i]) continue;
        return Error(ErrorCode::kInternal,
                     "self-test: relaxed dot product, added: %d wanted, %d found in lane %zu",
                     want[i], fours[i], i);
      }
    }
  }
  return Status();
}
#endif

Status SelfTest() {
#ifdef __wasm_relaxed_simd__
  TVLM_RETURN_IF_ERROR(TestRelaxedDots());
#endif
  const size_t floats = std::max({kRows * kLength, kOutputs * kLength, kRows * kOutputs});
  TVLM_ASSIGN_OR_RETURN(auto a, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto b, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto got, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto want, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto weights, AlignedBuffer<uint8_t>::Allocate(
                                          kOutputs * RowBytes(DType::kF32, kLength), "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto pack, AlignedBuffer<uint8_t>::Allocate(
                                       PackScratchBytes(DType::kF32, kLength), "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto quantized, AlignedBuffer<uint8_t>::Allocate(
                                            QuantizedRows::Bytes(kRows, kLength), "self-test"));
  const QuantizedRows rows = QuantizedRows::At(quantized.data(), kRows, kLength);
  const size_t scratch_bytes =
      std::max(GemmF32ScratchFloats(kLength) * sizeof(float), GemmI8ScratchBytes(kLength));
  TVLM_ASSIGN_OR_RETURN(auto scratch, AlignedBuffer<uint8_t>::Allocate(scratch_bytes, "self-test"));

  Numbers numbers;
  for (size_t i = 0; i < kRows * kLength; ++i) a[i] = numbers.Next();
  for (size_t i = 0; i < kOutputs * kLength; ++i) b[i] = numbers.Next();
  QuantizeRows(a.data(), kLength, kRows, rows);

  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0}) {
    for (size_t n = 0; n < kOutputs; ++n)
      QuantizeRow(type, b.data() + n * kLength, kLength,
                  weights.data() + n * RowBytes(type, kLength));
    PackInPlace(type, kOutputs, kLength, weights.data(), pack.data());
    const PackedMatrix B{type, kOutputs, kLength, weights.data()};
    GemmF32(a.data(), kLength, kRows, B, nullptr, got.data(), kOutputs, 0, kOutputs,
            reinterpret_cast<float*>(scratch.data()));
    reference::GemmF32(a.data(), kLength, kRows, B, nullptr, want.data(), kOutputs, 0, kOutputs);
    TVLM_RETURN_IF_ERROR(
        Compare(Format("f32 product with %s weights", GetDTypeInfo(type).name).c_str(), got.data(),
                want.data()));
    if (!HasGemmI8(type)) continue;
    reference::GemmI8(rows, kRows, B, nullptr, want.data(), kOutputs, 0, kOutputs);
    const auto test_i8 = [&](RelaxedDot dot, const char* how) {
      GemmI8(rows, kRows, B, nullptr, got.data(), kOutputs, 0, kOutputs, scratch.data(), dot);
      return Compare(Format("int8 product with %s weights%s", GetDTypeInfo(type).name, how).c_str(),
                     got.data(), want.data());
    };
#ifdef __wasm_relaxed_simd__
    TVLM_RETURN_IF_ERROR(test_i8(RelaxedDot::kFour, ", dots of four"));
    TVLM_RETURN_IF_ERROR(test_i8(RelaxedDot::kTwo, ", dots of two"));
#else
    TVLM_RETURN_IF_ERROR(test_i8(RelaxedDot::kFaster, ""));
#endif
  }
  return Status();
}

}  // namespace tinyvlm
