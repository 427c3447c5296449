#include "kernels/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

void RequireEqualsReference(const std::vector<float>& x, size_t stride, size_t m, size_t k) {
  std::vector<int32_t> pairs(m * k / 2), wanted_pairs(m * k / 2);
  std::vector<float> scales(m * (k / 32)), wanted_scales(m * (k / 32));
  reference::QuantizeRows(x.data(), stride, m, k, wanted_pairs.data(), wanted_scales.data());
  ForEachTarget([&] {
    QuantizeRows(x.data(), stride, m, k, pairs.data(), scales.data());
    REQUIRE(pairs == wanted_pairs);
    REQUIRE(SameBits(scales.data(), wanted_scales.data(), scales.size()));
  });
}

TEST_CASE("QuantizeRows equals the reference to the bit", "[kernels][quantize]") {
  for (const size_t m : {1, 2, 5}) {
    for (const size_t k : {32, 64, 320}) {
      for (const float range : {1e-20f, 1e-3f, 1.0f, 60000.0f, 1e30f}) {
        CAPTURE(m, k, range);
        const size_t stride = k + 3;
        RequireEqualsReference(Values(m * stride, static_cast<uint32_t>(m + k), range), stride, m, k);
      }
    }
  }
}

TEST_CASE("QuantizeRows rounds every tie to even, and the values beside it to the nearest", "[kernels][quantize]") {
  // Each block starts with 127, so that its scale is 1.
  std::vector<float> x;
  for (int whole = -127; whole <= 126; ++whole) {
    const float tie = static_cast<float>(whole) + 0.5f;
    for (const float v : {tie, std::nextafter(tie, -1000.0f), std::nextafter(tie, 1000.0f)}) {
      if (x.size() % 32 == 0) x.push_back(127.0f);
      x.push_back(v);
    }
  }
  while (x.size() % 32 != 0) x.push_back(0.0f);
  RequireEqualsReference(x, x.size(), 1, x.size());
}

TEST_CASE("QuantizeRows gives a block 16 bits where at most 4 values are larger than a quarter of the largest", "[kernels][quantize]") {
  for (const size_t large : {1, 2, 4, 5, 32}) {
    for (const float beside : {0.25f, 0.2f, 0.0f}) {  // a quarter is not larger
      std::vector<float> x(32, beside * 254.0f);
      for (size_t i = 0; i < large; ++i) x[(7 * i + 3) % 32] = i % 2 == 0 ? 254.0f : -100.0f;
      CAPTURE(large, beside);
      RequireEqualsReference(x, 32, 1, 32);
      int32_t pairs[kBlockPairs];
      float scale;
      QuantizeRows(x.data(), 32, 1, 32, pairs, &scale);
      REQUIRE(scale == 254.0f * (1.0f / (large <= 4 ? 32767.0f : 127.0f)));
    }
  }
  // Outliers of every size among ordinary values.
  std::vector<float> x = Values(64 * 32, 9);
  for (size_t block = 0; block < 64; ++block) x[block * 32 + block % 32] *= std::pow(1.2f, static_cast<float>(block));
  RequireEqualsReference(x, x.size(), 1, x.size());
}

TEST_CASE("QuantizeRows keeps the values beside an outlier of 300 times their size as well as 8 bits keep them without it", "[kernels][quantize]") {
  std::vector<float> x = Values(32, 3);
  float largest = 0;
  for (const float v : x) largest = std::max(largest, std::fabs(v));
  x[5] = 300 * largest;
  int32_t pairs[kBlockPairs];
  float scale;
  QuantizeRows(x.data(), 32, 1, 32, pairs, &scale);
  for (size_t i = 0; i < 32; ++i) {
    const auto word = static_cast<uint32_t>(pairs[i % 2 * 8 + i / 4]);
    const auto q = static_cast<int16_t>(i % 4 < 2 ? word & 0xffff : word >> 16);
    // 300 / 32767 is 1.16 / 127: half a step is as large as it would be for a block whose largest value is 1.16 times `largest`.
    REQUIRE(std::fabs(static_cast<float>(q) * scale - x[i]) <= 0.501f * 1.17f * largest / 127.0f);
  }
}

TEST_CASE("QuantizeRows gives zero for a block of zeros or of values too small to divide by", "[kernels][quantize]") {
  std::vector<float> x(64, 0.0f);
  for (size_t i = 32; i < 64; ++i) x[i] = 1e-38f;
  RequireEqualsReference(x, 64, 1, 64);
}

TEST_CASE("QuantizeRows passes a NaN or an infinity on through the scale", "[kernels][quantize]") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (const size_t at : {0, 3, 17, 31}) {
      std::vector<float> x = Values(64, 5);
      x[at] = bad;
      int32_t pairs[2 * kBlockPairs];
      float scales[2];
      ForEachTarget([&] {
        QuantizeRows(x.data(), 64, 1, 64, pairs, scales);
        REQUIRE(!std::isfinite(scales[0]));
        REQUIRE(std::isfinite(scales[1]));
        for (size_t i = 0; i < kBlockPairs; ++i) REQUIRE(pairs[i] == 0);
      });
      float wanted_scales[2];
      reference::QuantizeRows(x.data(), 64, 1, 64, pairs, wanted_scales);
      REQUIRE(!std::isfinite(wanted_scales[0]));
    }
  }
}

}  // namespace
}  // namespace tinyvlm
