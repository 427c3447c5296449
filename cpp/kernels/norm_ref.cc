#include <cmath>

#include "kernels/norm.h"

namespace tinyvlm::reference {

void LayerNormRows(const float* x, const float* weight, const float* bias, float epsilon,
                   size_t rows, size_t n, float* out) {
  for (size_t r = 0; r < rows; ++r, x += n, out += n) {
    double mean = 0.0, variance = 0.0;
    for (size_t i = 0; i < n; ++i) mean += static_cast<double>(x[i]) / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i)
      variance += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean) /
                  static_cast<double>(n);
    const double scale = 1.0 / std::sqrt(variance + static_cast<double>(epsilon));
    for (size_t i = 0; i < n; ++i) {
      out[i] = static_cast<float>((static_cast<double>(x[i]) - mean) * scale *
                                      static_cast<double>(weight[i]) +
                                  static_cast<double>(bias[i]));
    }
  }
}

void RmsNormRows(const float* x, const float* weight, float epsilon, size_t rows, size_t n,
                 float* out) {
  for (size_t r = 0; r < rows; ++r, x += n, out += n) {
    double squares = 0.0;
    for (size_t i = 0; i < n; ++i)
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]) / static_cast<double>(n);
    const double scale = 1.0 / std::sqrt(squares + static_cast<double>(epsilon));
    for (size_t i = 0; i < n; ++i)
      out[i] =
          static_cast<float>(static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]));
  }
}

}  // namespace tinyvlm::reference
