#include "api/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/aligned.h"
#include "kernels/gemm.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// Two whole panels and a tail; several blocks; more rows than one register tile and an odd number of them.
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

// A sum of kLength products of values below 1 in another order, or with a fused multiply-add, moves by less than kLength^2 / 2 roundings of 2^-24.
constexpr float kTolerance = 3e-4f;

Status Compare(const char* what, const float* got, const float* want) {
  for (size_t i = 0; i < kRows * kOutputs; ++i) {
    if (!(std::fabs(got[i] - want[i]) <= kTolerance)) {
      return Error(ErrorCode::kInternal, "self-test: %s: %g wanted, %g found at output %zu", what, static_cast<double>(want[i]), static_cast<double>(got[i]), i);
    }
  }
  return Status();
}

}  // namespace

Status SelfTest() {
  const size_t floats = std::max({kRows * kLength, kOutputs * kLength, kRows * kOutputs});
  TVLM_ASSIGN_OR_RETURN(auto a, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto b, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto got, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto want, AlignedBuffer<float>::Allocate(floats, "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto weights, AlignedBuffer<uint8_t>::Allocate(kOutputs * RowBytes(DType::kF32, kLength), "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto pack, AlignedBuffer<uint8_t>::Allocate(PackScratchBytes(DType::kF32, kLength), "self-test"));
  TVLM_ASSIGN_OR_RETURN(auto quantized, AlignedBuffer<uint8_t>::Allocate(QuantizedRows::Bytes(kRows, kLength), "self-test"));
  const QuantizedRows rows = QuantizedRows::At(quantized.data(), kRows, kLength);
  const size_t scratch_bytes = std::max(GemmF32ScratchFloats(kLength) * sizeof(float), GemmI8ScratchBytes(kLength));
  TVLM_ASSIGN_OR_RETURN(auto scratch, AlignedBuffer<uint8_t>::Allocate(scratch_bytes, "self-test"));

  Numbers numbers;
  for (size_t i = 0; i < kRows * kLength; ++i) a[i] = numbers.Next();
  for (size_t i = 0; i < kOutputs * kLength; ++i) b[i] = numbers.Next();
  QuantizeRows(a.data(), kLength, kRows, rows);

  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0}) {
    for (size_t n = 0; n < kOutputs; ++n) QuantizeRow(type, b.data() + n * kLength, kLength, weights.data() + n * RowBytes(type, kLength));
    PackInPlace(type, kOutputs, kLength, weights.data(), pack.data());
    const PackedMatrix B{type, kOutputs, kLength, weights.data()};
    GemmF32(a.data(), kLength, kRows, B, nullptr, got.data(), kOutputs, 0, kOutputs, reinterpret_cast<float*>(scratch.data()));
    reference::GemmF32(a.data(), kLength, kRows, B, nullptr, want.data(), kOutputs, 0, kOutputs);
    TVLM_RETURN_IF_ERROR(Compare(Format("f32 product with %s weights", GetDTypeInfo(type).name).c_str(), got.data(), want.data()));
    if (GetDTypeInfo(type).block_elements == 1) continue;
    GemmI8(rows, kRows, B, nullptr, got.data(), kOutputs, 0, kOutputs, scratch.data());
    reference::GemmI8(rows, kRows, B, nullptr, want.data(), kOutputs, 0, kOutputs);
    TVLM_RETURN_IF_ERROR(Compare(Format("8-bit product with %s weights", GetDTypeInfo(type).name).c_str(), got.data(), want.data()));
  }
  return Status();
}

}  // namespace tinyvlm
