#include <algorithm>
#include <cmath>

#include "kernels/quantize.h"

namespace tinyvlm::reference {

void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales) {
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      float amax = 0.0f;
      for (size_t i = 0; i < 32; ++i) {
        if (!(std::fabs(block[i]) <= amax)) amax = std::fabs(block[i]);  // a NaN stays
        if (std::isnan(amax)) break;
      }
      const bool usable = amax > 1e-30f && std::isfinite(amax);  // below, 127 / amax would overflow
      scales[r * (k / 32) + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / 127.0f);
      const float inverse = usable ? 127.0f / amax : 0.0f;
      for (size_t i = 0; i < 32; ++i) {
        q[r * k + b * 32 + i] = usable ? static_cast<int8_t>(std::clamp(std::nearbyint(block[i] * inverse), -127.0f, 127.0f)) : int8_t{0};
      }
    }
  }
}

}  // namespace tinyvlm::reference
