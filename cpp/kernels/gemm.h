// Matrix products against packed weights: C[M, n0..n1) = A[M, K] * B[N, K]^T + bias.
//
// A row's result depends neither on M nor on the cut of the columns: products are added in order of
// k (blocks of 32 in order), with the lanes running over outputs, so that a step of one row and a
// prompt of many give the same bits.
#ifndef TINYVLM_KERNELS_GEMM_H_
#define TINYVLM_KERNELS_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "kernels/pack.h"
#include "kernels/quantize.h"

namespace tinyvlm {

// f32 activations (rows lda apart) against weights of any packed type, quantised ones being
// dequantised a panel at a time. bias may be null. c points to column n0 of C, rows ldc apart. n0
// is a multiple of 16, n1 too unless it is N.
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1, float* scratch);

// Floats of scratch that GemmF32 needs, aligned to 64 bytes.
size_t GemmF32ScratchFloats(size_t k);

// m quantised rows of activations (a.k equals B.k) against Q8_0, Q5_0 or Q4_0 weights: the integer
// sum of a block is exact on every target, then acc += (scale_a * scale_b) * sum, in order of the
// blocks.
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch);

// Bytes of scratch that GemmI8 needs, aligned to 64 bytes.
size_t GemmI8ScratchBytes(size_t k);

namespace reference {
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1);
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_GEMM_H_
