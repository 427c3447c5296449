#include "kernels/quantize.h"

#include <cmath>
#include <limits>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

void RequireEqualsReference(const std::vector<float>& x, size_t stride, size_t m, size_t k) {
  std::vector<int8_t> q(m * k), wanted_q(m * k);
  std::vector<float> scales(m * (k / 32)), wanted_scales(m * (k / 32));
  reference::QuantizeRowsI8(x.data(), stride, m, k, wanted_q.data(), wanted_scales.data());
  ForEachTarget([&] {
    QuantizeRowsI8(x.data(), stride, m, k, q.data(), scales.data());
    REQUIRE(q == wanted_q);
    REQUIRE(SameBits(scales.data(), wanted_scales.data(), scales.size()));
  });
}

TEST_CASE("QuantizeRowsI8 equals the reference to the bit", "[kernels][quantize]") {
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

TEST_CASE("QuantizeRowsI8 rounds every tie to even, and the values beside it to the nearest", "[kernels][quantize]") {
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

TEST_CASE("QuantizeRowsI8 gives zero for a block of zeros or of values too small to divide by", "[kernels][quantize]") {
  std::vector<float> x(64, 0.0f);
  for (size_t i = 32; i < 64; ++i) x[i] = 1e-38f;
  RequireEqualsReference(x, 64, 1, 64);
}

TEST_CASE("QuantizeRowsI8 passes a NaN or an infinity on through the scale", "[kernels][quantize]") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (const size_t at : {0, 3, 17, 31}) {
      std::vector<float> x = Values(64, 5);
      x[at] = bad;
      int8_t q[64];
      float scales[2];
      ForEachTarget([&] {
        QuantizeRowsI8(x.data(), 64, 1, 64, q, scales);
        REQUIRE(!std::isfinite(scales[0]));
        REQUIRE(std::isfinite(scales[1]));
        for (size_t i = 0; i < 32; ++i) REQUIRE(q[i] == 0);
      });
      float wanted_scales[2];
      reference::QuantizeRowsI8(x.data(), 64, 1, 64, q, wanted_scales);
      REQUIRE(!std::isfinite(wanted_scales[0]));
    }
  }
}

}  // namespace
}  // namespace tinyvlm
