// The first convolution of the tower.
#ifndef TINYVLM_KERNELS_CONV2D_H_
#define TINYVLM_KERNELS_CONV2D_H_

#include <cstddef>

namespace tinyvlm {

// 3x3, stride 2, zero padding 1, 3 input channels: rows [row_begin, row_end) of the ceil(h / 2) x
// ceil(w / 2) x cout map of `in` [h, w, 3]. weights [ky][kx][3][cout], bias [cout]; out is [row_end
// - row_begin][ceil(w / 2)][cout]. A pixel's result does not depend on the split.
void Conv2dStem(const float* in, size_t h, size_t w, size_t cout, const float* weights,
                const float* bias, size_t row_begin, size_t row_end, float* out);

namespace reference {
void Conv2dStem(const float* in, size_t h, size_t w, size_t cout, const float* weights,
                const float* bias, size_t row_begin, size_t row_end, float* out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_CONV2D_H_
