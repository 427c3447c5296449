#include "kernels/norm.h"

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

// A mean or a mean of squares adds n values, lane by lane: at most n roundings relative to the sum
// of absolute values. Here |x - mean| <= 2, the weights are at most 1 and the deviation is at least
// a third (uniform values; a single value is its own mean), so an output of at most 6 moves by a
// relative n + 8 roundings.
TEST_CASE("LayerNormRows and RmsNormRows equal the reference for every remainder",
          "[kernels][norm]") {
  for (const size_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 96, 100, 768}) {
    for (const size_t rows : {0, 1, 3}) {
      CAPTURE(n, rows);
      const std::vector<float> x = Values(rows * n, static_cast<uint32_t>(n)),
                               weight = Values(n, 1), bias = Values(n, 2);
      std::vector<float> wanted(rows * n), wanted_rms(rows * n);
      reference::LayerNormRows(x.data(), weight.data(), bias.data(), 1e-5f, rows, n, wanted.data());
      reference::RmsNormRows(x.data(), weight.data(), 1e-6f, rows, n, wanted_rms.data());
      ForEachTarget([&] {
        std::vector<float> found(rows * n);
        LayerNormRows(x.data(), weight.data(), bias.data(), 1e-5f, rows, n, found.data());
        // Two or three values may lie close together: their deviation, and with it the error, is
        // then scaled by up to 1 / sqrt(epsilon).
        RequireWithin(found, wanted, std::vector<float>(rows * n, n < 7 ? 320.0f : 6.0f),
                      static_cast<double>(n + 8) * kRounding);
        found = x;
        RmsNormRows(found.data(), weight.data(), 1e-6f, rows, n, found.data());
        RequireWithin(found, wanted_rms, std::vector<float>(rows * n, 6.0f),
                      static_cast<double>(n + 8) * kRounding);
      });
    }
  }
}

TEST_CASE("LayerNormRows keeps its precision where the mean is large beside the deviation",
          "[kernels][norm]") {
  const size_t n = 768;
  std::vector<float> x = Values(n, 1);
  for (float& v : x) v += 1000.0f;
  const std::vector<float> weight(n, 1.0f), bias(n, 0.0f);
  std::vector<float> wanted(n), found(n);
  reference::LayerNormRows(x.data(), weight.data(), bias.data(), 1e-5f, 1, n, wanted.data());
  ForEachTarget([&] {
    LayerNormRows(x.data(), weight.data(), bias.data(), 1e-5f, 1, n, found.data());
    // The mean, about 1000, is a sum of up to n / 8 values per lane; its error moves every output
    // alike, times 1 / deviation, about sqrt(3).
    RequireWithin(found, wanted, std::vector<float>(n, 1733.0f), 8 * kRounding);
  });
}

}  // namespace
}  // namespace tinyvlm
