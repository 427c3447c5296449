#include "kernels/depthwise_conv.h"

#include <algorithm>
#include <array>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

TEST_CASE("DepthwiseConv equals the reference for every shape", "[kernels][depthwise_conv]") {
  for (const size_t kernel : {3, 5, 7}) {
    for (const size_t stride : {1, 2}) {
      for (const size_t multiplier : {1, 2, 3}) {
        for (const size_t cin : {1, 6, 16, 21, 40}) {
          for (const auto& [h, w] :
               {std::pair<size_t, size_t>{1, 1}, {2, 3}, {5, 4}, {7, 9}, {3, 26}}) {
            CAPTURE(kernel, stride, multiplier, cin, h, w);
            DepthwiseShape shape;
            shape.h = h, shape.w = w, shape.cin = cin, shape.multiplier = multiplier,
            shape.kernel = kernel, shape.stride = stride;
            const size_t cout = cin * multiplier,
                         pixels = ((h + stride - 1) / stride) * ((w + stride - 1) / stride);
            const std::vector<float> in = Values(h * w * cin, 1),
                                     weights = Values(kernel * kernel * cout, 2),
                                     bias = Values(cout, 3);
            std::vector<float> wanted(pixels * cout), bounds(pixels * cout);
            reference::DepthwiseConv(shape, in.data(), weights.data(), bias.data(), 0, pixels,
                                     wanted.data());
            reference::DepthwiseConv(shape, Absolute(in).data(), Absolute(weights).data(),
                                     Absolute(bias).data(), 0, pixels, bounds.data());
            ForEachTarget([&] {
              std::vector<float> found(pixels * cout);
              DepthwiseConv(shape, in.data(), weights.data(), bias.data(), 0, pixels, found.data());
              // products and sums
              RequireWithin(found, wanted, bounds,
                            static_cast<double>(2 * kernel * kernel) * kRounding);
            });
          }
        }
      }
    }
  }
}

TEST_CASE("DepthwiseConv gives a pixel the same bits whatever the cut and the strip in memory",
          "[kernels][depthwise_conv]") {
  for (const std::array<size_t, 3>& sizes :
       {std::array<size_t, 3>{3, 1, 1}, {3, 2, 1}, {7, 1, 1}, {7, 2, 2}, {3, 1, 2}, {5, 1, 1}}) {
    // names that a lambda may capture in Clang 14 too
    const size_t kernel = sizes[0], stride = sizes[1], multiplier = sizes[2];
    DepthwiseShape shape;
    shape.h = 19, shape.w = 22, shape.cin = 20, shape.multiplier = multiplier,
    shape.kernel = kernel, shape.stride = stride;
    CAPTURE(kernel, stride, multiplier);
    const size_t out_w = (shape.w + stride - 1) / stride, out_h = (shape.h + stride - 1) / stride,
                 cout = shape.cin * multiplier, pad = (kernel - 1) / 2;
    const std::vector<float> in = Values(shape.h * shape.w * shape.cin, 1),
                             weights = Values(kernel * kernel * cout, 2), bias = Values(cout, 3);
    ForEachTarget([&] {
      std::vector<float> whole(out_h * out_w * cout);
      DepthwiseConv(shape, in.data(), weights.data(), bias.data(), 0, out_h * out_w, whole.data());
      for (const size_t step : {1, 3, 4, 9, 50}) {
        std::vector<float> parts(whole.size());
        for (size_t p = 0; p < out_h * out_w; p += step) {
          const size_t end = std::min(p + step, out_h * out_w);
          // Only the rows that these pixels touch.
          const size_t top = p / out_w * stride, bottom = (end - 1) / out_w * stride;
          DepthwiseShape strip = shape;
          strip.row_begin = top - std::min(top, pad);
          const size_t row_end = std::min(bottom + pad + 1, shape.h), row = shape.w * shape.cin;
          const std::vector<float> rows(in.begin() + static_cast<ptrdiff_t>(strip.row_begin * row),
                                        in.begin() + static_cast<ptrdiff_t>(row_end * row));
          DepthwiseConv(strip, rows.data(), weights.data(), bias.data(), p, end,
                        parts.data() + p * cout);
        }
        REQUIRE(SameBits(parts.data(), whole.data(), whole.size()));
      }
    });
  }
}

}  // namespace
}  // namespace tinyvlm
