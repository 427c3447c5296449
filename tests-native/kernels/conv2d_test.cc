#include "kernels/conv2d.h"

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

TEST_CASE("Conv2dStem equals the reference for every image size, and rows do not depend on the cut",
          "[kernels][conv2d]") {
  for (const size_t h : {1, 2, 3, 4, 9}) {
    for (const size_t w : {1, 2, 3, 4, 5, 8, 27, 34}) {
      for (const size_t cout : {1, 8, 16, 21, 96}) {
        CAPTURE(h, w, cout);
        const size_t out_h = (h + 1) / 2, row = (w + 1) / 2 * cout;
        const std::vector<float> in = Values(h * w * 3, 1), weights = Values(27 * cout, 2),
                                 bias = Values(cout, 3);
        std::vector<float> wanted(out_h * row), bounds(out_h * row);
        reference::Conv2dStem(in.data(), h, w, cout, weights.data(), bias.data(), 0, out_h,
                              wanted.data());
        reference::Conv2dStem(Absolute(in).data(), h, w, cout, Absolute(weights).data(),
                              Absolute(bias).data(), 0, out_h, bounds.data());
        ForEachTarget([&] {
          std::vector<float> found(out_h * row);
          Conv2dStem(in.data(), h, w, cout, weights.data(), bias.data(), 0, out_h, found.data());
          RequireWithin(found, wanted, bounds, 2 * 27 * kRounding);  // 27 products and sums
          for (size_t y = 0; y < out_h; ++y) {
            std::vector<float> part(row);
            Conv2dStem(in.data(), h, w, cout, weights.data(), bias.data(), y, y + 1, part.data());
            REQUIRE(SameBits(part.data(), found.data() + y * row, row));
          }
        });
      }
    }
  }
}

}  // namespace
}  // namespace tinyvlm
