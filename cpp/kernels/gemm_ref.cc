#include <vector>

#include "kernels/gemm.h"

namespace tinyvlm::reference {

void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1) {
  std::vector<float> w(B.k);
  for (size_t n = n0; n < n1; ++n) {
    UnpackRow(B, n, w.data());
    for (size_t r = 0; r < m; ++r) {
      double sum = bias != nullptr ? static_cast<double>(bias[n]) : 0.0;
      for (size_t i = 0; i < B.k; ++i)
        sum += static_cast<double>(a[r * lda + i]) * static_cast<double>(w[i]);
      c[r * ldc + n - n0] = static_cast<float>(sum);
    }
  }
}

void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1) {
  // scale * q of a weight has at most 19 significant bits: exact in f32, so this is the sum of the
  // integer products and the scales.
  std::vector<float> w(B.k);
  for (size_t n = n0; n < n1; ++n) {
    UnpackRow(B, n, w.data());
    for (size_t r = 0; r < m; ++r) {
      double sum = bias != nullptr ? static_cast<double>(bias[n]) : 0.0;
      for (size_t i = 0; i < B.k; ++i) {
        sum += static_cast<double>(a.Value(r, i)) *
               static_cast<double>(a.scales[r * (B.k / 32) + i / 32]) * static_cast<double>(w[i]);
      }
      c[r * ldc + n - n0] = static_cast<float>(sum);
    }
  }
}

}  // namespace tinyvlm::reference
