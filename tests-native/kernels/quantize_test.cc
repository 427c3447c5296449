#include "kernels/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "for_each_target.h"
#include "quantized.h"
#include "values.h"

namespace tinyvlm {
namespace {

// The same in every byte that has a meaning.
void RequireSame(const QuantizedRows& found, const QuantizedRows& wanted, size_t m) {
  const size_t k = wanted.k;
  REQUIRE(SameBits(found.scales, wanted.scales, m * (k / 32)));
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const size_t at = r * (k / 32) + b;
      CAPTURE(r, b);
      REQUIRE(found.IsOutlierBlock(r, b) == wanted.IsOutlierBlock(r, b));
      REQUIRE(found.low_sums[at] == wanted.low_sums[at]);
      if (wanted.IsOutlierBlock(r, b)) REQUIRE(found.high_sums[at] == wanted.high_sums[at]);
      for (size_t i = b * 32; i < (b + 1) * 32; ++i)
        REQUIRE(found.Value(r, i) == wanted.Value(r, i));
    }
  }
}

void RequireEqualsReference(const std::vector<float>& x, size_t stride, size_t m, size_t k) {
  QuantizedMatrix wanted(m, k);
  reference::QuantizeRows(x.data(), stride, m, wanted.rows);
  for (size_t i = 0; i < m * k; ++i) {  // the sums of the reference themselves
    const size_t block = i % k / 32;
    if (i % 32 != 0) continue;
    int32_t low = 0, high = 0;
    for (size_t j = 0; j < 32; ++j) {
      low += wanted.rows.low[i + j];
      if (wanted.rows.IsOutlierBlock(i / k, block)) high += wanted.rows.high[i + j];
    }
    const auto both = [](int32_t pair) {
      return static_cast<int16_t>(static_cast<uint32_t>(pair) & 0xffff) + (pair >> 16);
    };
    REQUIRE(both(wanted.rows.low_sums[i / 32]) == low);
    if (wanted.rows.IsOutlierBlock(i / k, block))
      REQUIRE(both(wanted.rows.high_sums[i / 32]) == high);
  }
  ForEachTarget([&] {
    QuantizedMatrix found(m, k);
    QuantizeRows(x.data(), stride, m, found.rows);
    RequireSame(found.rows, wanted.rows, m);
  });
}

TEST_CASE("QuantizeRows equals the reference to the bit", "[kernels][quantize]") {
  for (const size_t m : {1, 2, 5}) {
    for (const size_t k : {32, 64, 320}) {
      for (const float range : {1e-20f, 1e-3f, 1.0f, 60000.0f, 1e30f}) {
        CAPTURE(m, k, range);
        const size_t stride = k + 3;
        RequireEqualsReference(Values(m * stride, static_cast<uint32_t>(m + k), range), stride, m,
                               k);
      }
    }
  }
}

TEST_CASE("QuantizeRows rounds every tie to even, and the values beside it to the nearest",
          "[kernels][quantize]") {
  // Each block initial with 127, so that its scale is 1.
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

TEST_CASE(
    "QuantizeRows gives a block 16 bits where at most 2 values are larger than an eighth of the "
    "largest",
    "[kernels][quantize]") {
  for (const size_t large : {1, 2, 3, 5, 32}) {
    for (const float beside : {0.125f, 0.1f, 0.0f}) {  // an eighth is not larger
      std::vector<float> x(32, beside * 254.0f);
      for (size_t i = 0; i < large; ++i) x[(7 * i + 3) % 32] = i % 2 == 0 ? 254.0f : -100.0f;
      CAPTURE(large, beside);
      RequireEqualsReference(x, 32, 1, 32);
      QuantizedMatrix found(1, 32);
      QuantizeRows(x.data(), 32, 1, found.rows);
      REQUIRE(found.rows.IsOutlierBlock(0, 0) == (large <= 2));
      REQUIRE(found.rows.scales[0] ==
              254.0f * (1.0f / static_cast<float>(large <= 2 ? kInt16Range : kInt8Range)));
    }
  }
  // Outliers of every size among ordinary values.
  std::vector<float> x = Values(64 * 32, 9);
  for (size_t block = 0; block < 64; ++block)
    x[block * 32 + block % 32] *= std::pow(1.2f, static_cast<float>(block));
  RequireEqualsReference(x, x.size(), 1, x.size());
}

TEST_CASE("QuantizeRows equals the reference where ordinary blocks and others are neighbours",
          "[kernels][quantize]") {
  // Blocks of two rows are taken together where all of them are ordinary: here every place among
  // them is now and then an outlier block, one of zeros, one that is not finite, and ordinary
  // beside such.
  const size_t m = 7, k = 5 * 32;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    std::vector<float> x = Values(m * k, seed);
    std::mt19937 random(seed);
    for (size_t block = 0; block < m * k / 32; ++block) {
      float* const values = x.data() + block * 32;
      switch (random() % 24) {
        case 0:
          values[random() % 32] *= 100.0f;
          break;
        case 1:
          std::fill_n(values, 32, 0.0f);
          break;
        case 2:
          values[random() % 32] = std::numeric_limits<float>::infinity();
          break;
        default:
          break;
      }
    }
    CAPTURE(seed);
    RequireEqualsReference(x, k, m, k);
  }
}

TEST_CASE(
    "QuantizeRows keeps the values beside an outlier of 300 times their size as well as 8 bits "
    "keep them without it",
    "[kernels][quantize]") {
  std::vector<float> x = Values(32, 3);
  float largest = 0;
  for (const float v : x) largest = std::max(largest, std::fabs(v));
  x[5] = 300 * largest;
  QuantizedMatrix found(1, 32);
  QuantizeRows(x.data(), 32, 1, found.rows);
  for (size_t i = 0; i < 32; ++i) {
    // 300 / 32512 is 1.172 / 127: half a step is as large as it would be for a block whose largest
    // value is 1.172 times `largest`.
    REQUIRE(std::fabs(static_cast<float>(found.rows.Value(0, i)) * found.rows.scales[0] - x[i]) <=
            0.501f * 1.172f * largest / 127.0f);
  }
}

TEST_CASE("QuantizeRows gives zero for a block of zeros or of values too small to divide by",
          "[kernels][quantize]") {
  std::vector<float> x(64, 0.0f);
  for (size_t i = 32; i < 64; ++i) x[i] = 1e-38f;
  RequireEqualsReference(x, 64, 1, 64);
}

TEST_CASE("QuantizeRows passes a NaN or an infinity on through the scale", "[kernels][quantize]") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const size_t at : {0, 3, 17, 31}) {
      std::vector<float> x = Values(64, 5);
      x[at] = bad;
      ForEachTarget([&] {
        QuantizedMatrix found(1, 64);
        QuantizeRows(x.data(), 64, 1, found.rows);
        REQUIRE(!std::isfinite(found.rows.scales[0]));
        REQUIRE(std::isfinite(found.rows.scales[1]));
        REQUIRE(!found.rows.IsOutlierBlock(0, 0));
        REQUIRE(found.rows.low_sums[0] == 0);
        for (size_t i = 0; i < 32; ++i) REQUIRE(found.rows.low[i] == 0);
      });
      QuantizedMatrix wanted(1, 64);
      reference::QuantizeRows(x.data(), 64, 1, wanted.rows);
      REQUIRE(!std::isfinite(wanted.rows.scales[0]));
    }
  }
}

}  // namespace
}  // namespace tinyvlm
