// SIMD code of conv2d.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_CONV2D_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_CONV2D_INL_H_
#undef TINYVLM_KERNELS_CONV2D_INL_H_
#else
#define TINYVLM_KERNELS_CONV2D_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"
#include "kernels/gemm_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {

// The 3 x 3 inputs of one kernel row are 9 consecutive floats of the image, and those of the next
// output pixel start 6 floats further: a matrix product with overlapping rows, once per kernel row,
// accumulated in `out`.
HWY_INLINE void Conv2dStemImpl(const float* in, size_t h, size_t w, size_t cout,
                               const float* weights, const float* bias, size_t row_begin,
                               size_t row_end, float* out) {
  const size_t out_w = (w + 1) / 2;
  // pixels [1, inside_end) have all three columns; 2 x + 1 < w
  const size_t inside_end = std::max<size_t>(1, w / 2);
  for (size_t y = row_begin; y < row_end; ++y, out += out_w * cout) {
    for (size_t x = 0; x < out_w; ++x) std::copy_n(bias, cout, out + x * cout);
    for (size_t ky = 0; ky < 3; ++ky) {
      const size_t iy = 2 * y + ky - 1;  // -1 wraps around and is out of range too
      if (iy >= h) continue;
      const float* const row = in + iy * w * 3;
      const float* const taps = weights + ky * 9 * cout;
      for (size_t n = 0; n < cout; n += kTileColumns) {
        const size_t columns = std::min(kTileColumns, cout - n);
        // The first pixel has no left column, and no right one where the image is one pixel wide.
        MultiplyRowsByPanel(row, 6, 1, 3 * std::min<size_t>(2, w), taps + 3 * cout + n, cout,
                            out + n, cout, columns);
        if (inside_end > 1)
          MultiplyRowsByPanel(row + 3, 6, inside_end - 1, 9, taps + n, cout, out + cout + n, cout,
                              columns);
        // Where the width is odd, the last pixel has no right column.
        if (inside_end < out_w)
          MultiplyRowsByPanel(row + 3 * (w - 2), 6, 1, 6, taps + n, cout,
                              out + inside_end * cout + n, cout, columns);
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
