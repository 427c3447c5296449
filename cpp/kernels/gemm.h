// Matrix products against packed weights: C[M, n0..n1) = A[M, K] * B[N, K]^T + bias.
//
// A row's result depends neither on M nor on how the columns are split: each SIMD lane accumulates
// one output column, and products are added in order of k (blocks of 32 in order), so that a decode
// step of one row and a prefill of many give the same bits.
#ifndef TINYVLM_KERNELS_GEMM_H_
#define TINYVLM_KERNELS_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed_dots.h"

namespace tinyvlm {

// f32 activations (rows lda apart) against weights of any packed type, quantised ones being
// dequantised a panel at a time. bias may be null. c points to column n0 of C, rows ldc apart. n0
// is a multiple of 16, n1 too unless it is N.
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1, float* scratch);

// Floats of scratch that GemmF32 needs, aligned to 64 bytes.
size_t GemmF32ScratchFloats(size_t k);

// Whether GemmI8 multiplies weights of this type: Q8_0, Q5_0 and Q4_0.
constexpr bool HasGemmI8(DType type) {
  switch (type) {
    case DType::kQ8_0:
    case DType::kQ5_0:
    case DType::kQ4_0:
      return true;
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
    case DType::kI64:
      return false;
  }
  return false;
}

// m quantised rows of activations (a.k equals B.k) against weights for which HasGemmI8: the integer
// total of a block is exact on every target, then result += (scale_a * scale_b) * total, in order
// of the blocks. Other arguments as for GemmF32. `relaxed_dot` matters in relaxed wasm builds only
// and never changes a result.
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch,
            RelaxedDot relaxed_dot = RelaxedDot::kFaster);

// Bytes of scratch that GemmI8 needs, aligned to 64 bytes.
size_t GemmI8ScratchBytes(size_t k);

// The same in plain loops, accumulated in f64.
namespace reference {
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1);
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_GEMM_H_
