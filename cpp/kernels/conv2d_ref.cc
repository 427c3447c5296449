#include "kernels/conv2d.h"

namespace tinyvlm::reference {

void Conv2dStem(const float* in, size_t h, size_t w, size_t cout, const float* weights,
                const float* bias, size_t row_begin, size_t row_end, float* out) {
  for (size_t y = row_begin; y < row_end; ++y) {
    for (size_t x = 0; x < (w + 1) / 2; ++x) {
      for (size_t o = 0; o < cout; ++o) {
        double sum = static_cast<double>(bias[o]);
        for (size_t ky = 0; ky < 3; ++ky) {
          for (size_t kx = 0; kx < 3; ++kx) {
            // -1 wraps around and is out of range too
            const size_t iy = 2 * y + ky - 1, ix = 2 * x + kx - 1;
            if (iy >= h || ix >= w) continue;
            for (size_t c = 0; c < 3; ++c) {
              sum += static_cast<double>(in[(iy * w + ix) * 3 + c]) *
                     static_cast<double>(weights[((ky * 3 + kx) * 3 + c) * cout + o]);
            }
          }
        }
        *out++ = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace tinyvlm::reference
