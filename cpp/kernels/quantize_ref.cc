#include <algorithm>
#include <cmath>

#include "kernels/quantize.h"

namespace tinyvlm::reference {

void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out) {
  const size_t blocks = out.k / 32;
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < blocks; ++b) {
      const float* const block = x + r * stride + b * 32;
      float amax = 0.0f;
      for (size_t i = 0; i < 32; ++i) {
        if (!(std::fabs(block[i]) <= amax)) amax = std::fabs(block[i]);  // keeps a NaN
        if (std::isnan(amax)) break;
      }
      size_t large = 0;
      for (size_t i = 0; i < 32; ++i) large += std::fabs(block[i]) > kOutlierShare * amax;
      // below, range / amax would overflow
      const bool usable = amax > 1e-30f && std::isfinite(amax);
      const bool is_outlier = usable && large <= kMaxOutliers;
      const float range = static_cast<float>(is_outlier ? kInt16Range : kInt8Range);
      const float inverse = usable ? range / amax : 0.0f;
      out.scales[r * blocks + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / range);
      out.outlier[r * blocks + b] = is_outlier ? 1 : 0;
      int32_t low_sums[2] = {0, 0}, high_sums[2] = {0, 0};
      for (size_t i = 0; i < 32; ++i) {
        const int32_t q = usable ? static_cast<int32_t>(std::clamp(
                                       std::nearbyint(block[i] * inverse), -range, range))
                                 : 0;
        const int32_t high = is_outlier ? static_cast<int32_t>(
                                              std::lround(static_cast<double>(q) / kHighStep))
                                        : 0,
                      low = q - kHighStep * high;
        out.low[r * out.k + b * 32 + i] = static_cast<int8_t>(low);
        low_sums[i % 4 / 2] += low;
        if (is_outlier) out.high[r * out.k + b * 32 + i] = static_cast<int8_t>(high);
        high_sums[i % 4 / 2] += high;
      }
      const auto pair = [](const int32_t* s) {
        return static_cast<int32_t>((static_cast<uint32_t>(s[0]) & 0xffff) |
                                    static_cast<uint32_t>(s[1]) << 16);
      };
      out.low_sums[r * blocks + b] = pair(low_sums);
      if (is_outlier) out.high_sums[r * blocks + b] = pair(high_sums);
    }
  }
}

}  // namespace tinyvlm::reference
