#include "kernels/depthwise_conv.h"

namespace tinyvlm::reference {

void DepthwiseConv(const DepthwiseShape& shape, const float* in, const float* weights,
                   const float* bias, size_t p0, size_t p1, float* out) {
  const size_t out_w = (shape.w + shape.stride - 1) / shape.stride,
               cout = shape.cin * shape.multiplier, pad = (shape.kernel - 1) / 2;
  for (size_t p = p0; p < p1; ++p) {
    for (size_t o = 0; o < cout; ++o) {
      double sum = static_cast<double>(bias[o]);
      for (size_t ky = 0; ky < shape.kernel; ++ky) {
        for (size_t kx = 0; kx < shape.kernel; ++kx) {
          // below 0 wraps around: out of range too
          const size_t iy = p / out_w * shape.stride + ky - pad,
                       ix = p % out_w * shape.stride + kx - pad;
          if (iy >= shape.h || ix >= shape.w) continue;
          sum +=
              static_cast<double>(
                  in[((iy - shape.row_begin) * shape.w + ix) * shape.cin + o / shape.multiplier]) *
              static_cast<double>(weights[(ky * shape.kernel + kx) * cout + o]);
        }
      }
      out[(p - p0) * cout + o] = static_cast<float>(sum);
    }
  }
}

}  // namespace tinyvlm::reference
