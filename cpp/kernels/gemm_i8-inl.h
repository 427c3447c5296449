// GemmI8 (gemm.h): chooses the path (many rows, few rows), the type of the weights and the
// instruction. Included once per target, after hwy/highway.h.
//
//   block_dot-inl.h          the ways to multiply a block of 32: a table, and one worked example
//   block_weights-inl.h      packed weights -> the words that a Dot reads; which Dot for which type
//   block_activations-inl.h  activations -> the words that a Dot reads
//   gemm_i8_scratch-inl.h    tile sizes, scratch memory, scaling
//   gemm_i8_tile-inl.h       many rows
//   gemm_i8_row-inl.h        few rows
#if defined(TINYVLM_KERNELS_GEMM_I8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/check.h"
#include "hwy/highway.h"
#include "kernels/block_dot-inl.h"
#include "kernels/block_weights-inl.h"
#include "kernels/gemm.h"
#include "kernels/gemm_i8_row-inl.h"
#include "kernels/gemm_i8_scratch-inl.h"
#include "kernels/gemm_i8_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed_dots.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// C[m, n0..n1) += A * B^T for weights of type kType.
template <DType kType, Int8Instruction kInstruction>
HWY_INLINE void MultiplyRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, float* c,
                               size_t ldc, size_t n0, size_t n1, const ScratchI8& scratch) {
  if (m < kMinRowsToUnpack) {
    using Dot = RowDot<kType, kInstruction>;
    MultiplyFewRowsI8<Dot>(a, m, B, c, ldc, n0, n1, scratch, &MultiplyRowI8<kType, Dot>);
  } else {
    MultiplyManyRowsI8<kType, TileDot<kType, kInstruction>>(a, m, B, c, ldc, n0, n1, scratch);
  }
}

// Calls body(std::integral_constant<Int8Instruction, ...>) with the instruction to use.
template <class Body>
HWY_INLINE auto WithInt8Instruction(HWY_MAYBE_UNUSED RelaxedDot relaxed_dot, const Body& body) {
#if TINYVLM_RELAXED_SIMD
  if (relaxed_dot == RelaxedDot::kFour || (relaxed_dot == RelaxedDot::kFaster && HasFastDotAdd()))
    return body(std::integral_constant<Int8Instruction, Int8Instruction::kDot4>());
#endif
  return body(std::integral_constant<Int8Instruction, kTargetInstruction>());
}

HWY_INLINE void GemmI8Impl(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                           const float* bias, float* c, size_t ldc, size_t n0, size_t n1,
                           uint8_t* memory, RelaxedDot relaxed_dot) {
  for (size_t r = 0; r < m; ++r) {
    if (bias != nullptr) {
      std::copy(bias + n0, bias + n1, c + r * ldc);
    } else {
      std::fill_n(c + r * ldc, n1 - n0, 0.0f);
    }
  }
  const ScratchI8 scratch(memory);
  WithInt8Instruction(relaxed_dot, [&](auto instruction) TINYVLM_LAMBDA {
    constexpr Int8Instruction kInstruction = decltype(instruction)::value;
    switch (B.type) {
      case DType::kQ4_0:
        return MultiplyRowsI8<DType::kQ4_0, kInstruction>(a, m, B, c, ldc, n0, n1, scratch);
      case DType::kQ5_0:
        return MultiplyRowsI8<DType::kQ5_0, kInstruction>(a, m, B, c, ldc, n0, n1, scratch);
      case DType::kQ8_0:
        return MultiplyRowsI8<DType::kQ8_0, kInstruction>(a, m, B, c, ldc, n0, n1, scratch);
      case DType::kF32:
      case DType::kF16:
      case DType::kBF16:
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4_K:
      case DType::kQ5_K:
      case DType::kQ6_K:
      case DType::kI64:
        break;  // no integer kernel: GemmF32 multiplies these (HasGemmI8)
    }
    TVLM_DCHECK(false);
  });
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
