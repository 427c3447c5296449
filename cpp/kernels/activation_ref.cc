#include <cmath>

#include "kernels/activation.h"

namespace tinyvlm::reference {

void Gelu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(0.5 * static_cast<double>(x[i]) *
                              std::erfc(-static_cast<double>(x[i]) / std::sqrt(2.0)));
}

void Relu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void Sigmoid(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x[i]))));
}

void SiluMul(const float* gate, const float* up, float* out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(gate[i]);
    out[i] = static_cast<float>(g / (1.0 + std::exp(-g)) * static_cast<double>(up[i]));
  }
}

void AddRows(const float* a, const float* b, size_t n, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
}

void ScaleAddRows(const float* x, const float* y, const float* gamma, size_t rows, size_t n,
                  float* out) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < n; ++i) {
      out[r * n + i] =
          static_cast<float>(static_cast<double>(x[r * n + i]) +
                             static_cast<double>(gamma[i]) * static_cast<double>(y[r * n + i]));
    }
  }
}

}  // namespace tinyvlm::reference
