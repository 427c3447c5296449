#include <algorithm>
#include <cmath>

#include "kernels/quantize.h"

namespace tinyvlm::reference {

namespace {

int32_t PairOf(int32_t low, int32_t high) { return static_cast<int32_t>((static_cast<uint32_t>(low) & 0xffff) | static_cast<uint32_t>(high) << 16); }

}  // namespace

void QuantizeRows(const float* x, size_t stride, size_t m, size_t k, int32_t* pairs, float* scales) {
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      float amax = 0.0f;
      for (size_t i = 0; i < 32; ++i) {
        if (!(std::fabs(block[i]) <= amax)) amax = std::fabs(block[i]);  // a NaN stays
        if (std::isnan(amax)) break;
      }
      size_t large = 0;
      for (size_t i = 0; i < 32; ++i) large += std::fabs(block[i]) > kOutlierShare * amax;
      const float range = large <= kMaxOutliers ? 32767.0f : 127.0f;
      const bool usable = amax > 1e-30f && std::isfinite(amax);  // below, range / amax would overflow
      scales[r * (k / 32) + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / range);
      const float inverse = usable ? range / amax : 0.0f;
      const auto q = [&](size_t i) { return usable ? static_cast<int32_t>(std::clamp(std::nearbyint(block[i] * inverse), -range, range)) : 0; };
      int32_t* const out = pairs + (r * (k / 32) + b) * kBlockPairs;
      for (size_t i = 0; i < 8; ++i) {
        out[i] = PairOf(q(4 * i), q(4 * i + 2));
        out[8 + i] = PairOf(q(4 * i + 1), q(4 * i + 3));
      }
    }
  }
}

}  // namespace tinyvlm::reference
