// LayerNorm and RMSNorm of rows.
#ifndef TINYVLM_KERNELS_NORM_H_
#define TINYVLM_KERNELS_NORM_H_

#include <cstddef>

namespace tinyvlm {

// out[r] = (x[r] - mean) / sqrt(variance + epsilon) * weight + bias for `rows` consecutive rows of
// n values; biased variance, statistics in f32. out may be x.
void LayerNormRows(const float* x, const float* weight, const float* bias, float epsilon,
                   size_t rows, size_t n, float* out);

// out[r] = x[r] / sqrt(mean of squares + epsilon) * weight. out may be x.
void RmsNormRows(const float* x, const float* weight, float epsilon, size_t rows, size_t n,
                 float* out);

namespace reference {
void LayerNormRows(const float* x, const float* weight, const float* bias, float epsilon,
                   size_t rows, size_t n, float* out);
void RmsNormRows(const float* x, const float* weight, float epsilon, size_t rows, size_t n,
                 float* out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_NORM_H_
