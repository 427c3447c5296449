#include "kernels/rope.h"

namespace tinyvlm::reference {

void ApplyRope(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin) {
  const size_t half = head_dim / 2;
  for (size_t h = 0; h < heads; ++h, x += head_dim) {
    for (size_t i = 0; i < half; ++i) {
      const double a = static_cast<double>(x[i]), b = static_cast<double>(x[i + half]);
      x[i] = static_cast<float>(a * static_cast<double>(cos[i]) - b * static_cast<double>(sin[i]));
      x[i + half] =
          static_cast<float>(b * static_cast<double>(cos[i]) + a * static_cast<double>(sin[i]));
    }
  }
}

}  // namespace tinyvlm::reference
