#include <algorithm>
#include <cmath>

#include "kernels/quantize.h"

namespace tinyvlm::reference {

void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales) {
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      float amax = 0.0f;
      for (size_t i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(block[i]));
      const float inverse = amax > 1e-30f ? 127.0f / amax : 0.0f;  // 0 for blocks so small that the inverse would overflow
      scales[r * (k / 32) + b] = amax > 1e-30f ? amax * (1.0f / 127.0f) : 0.0f;
      for (size_t i = 0; i < 32; ++i) q[r * k + b * 32 + i] = static_cast<int8_t>(std::clamp(std::nearbyint(block[i] * inverse), -127.0f, 127.0f));
    }
  }
}

}  // namespace tinyvlm::reference
