// Element-wise steps of the tower and the decoder. Any n; nothing needs to be aligned.
#ifndef TINYVLM_KERNELS_ACTIVATION_H_
#define TINYVLM_KERNELS_ACTIVATION_H_

#include <cstddef>

namespace tinyvlm {

// x = x * (1 + erf(x / sqrt(2))) / 2, in place: the exact form, not the tanh one. Absolute error
// below 4e-7 up to |x| = 6, the rounding of the result included (3.4e-7 measured, with and without
// fused multiply-add); beyond, x to its last place, or less than 1e-7 from 0.
void Gelu(float* x, size_t n);

// x = max(x, 0), in place.
void Relu(float* x, size_t n);

// x = 1 / (1 + exp(-x)), in place. Absolute error below 2e-7 (9e-8 measured).
void Sigmoid(float* x, size_t n);

// out = gate / (1 + exp(-gate)) * up. out may be gate or up. For a gate below -87.33 the result is
// about 1e-38 |gate up|, not 0.
void SiluMul(const float* gate, const float* up, float* out, size_t n);

// out = a + b. out may be a or b.
void AddRows(const float* a, const float* b, size_t n, float* out);

// out[r][i] = x[r][i] + gamma[i] * y[r][i] for `rows` consecutive rows of n: a residual with layer
// scale. out may be x or y.
void ScaleAddRows(const float* x, const float* y, const float* gamma, size_t rows, size_t n,
                  float* out);

namespace reference {
void Gelu(float* x, size_t n);
void Relu(float* x, size_t n);
void Sigmoid(float* x, size_t n);
void SiluMul(const float* gate, const float* up, float* out, size_t n);
void AddRows(const float* a, const float* b, size_t n, float* out);
void ScaleAddRows(const float* x, const float* y, const float* gamma, size_t rows, size_t n,
                  float* out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_ACTIVATION_H_
