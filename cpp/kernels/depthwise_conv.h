// Convolutions in which an output channel reads one input channel.
#ifndef TINYVLM_KERNELS_DEPTHWISE_CONV_H_
#define TINYVLM_KERNELS_DEPTHWISE_CONV_H_

#include <cstddef>

namespace tinyvlm {

// Zero padding (kernel - 1) / 2; the output map is ceil(h / stride) x ceil(w / stride) x (cin *
// multiplier), and its channel o reads input channel o / multiplier.
struct DepthwiseShape {
  size_t h = 0;           // height of the whole input map
  size_t w = 0;           // its width
  size_t cin = 0;         // its channels
  size_t multiplier = 1;  // output channels per input channel
  size_t kernel = 0;      // odd
  size_t stride = 1;
  // The row of the input map that `in` points to, if only a strip of it is in memory.
  size_t row_begin = 0;
};

// Output pixels [p0, p1), counted row by row, into out [p1 - p0][cin * multiplier]. weights [kernel
// * kernel][cin * multiplier], bias [cin * multiplier]. `in` holds every row that these pixels
// touch. A pixel's result does not depend on the split.
void DepthwiseConv(const DepthwiseShape& shape, const float* in, const float* weights,
                   const float* bias, size_t p0, size_t p1, float* out);

namespace reference {
void DepthwiseConv(const DepthwiseShape& shape, const float* in, const float* weights,
                   const float* bias, size_t p0, size_t p1, float* out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_DEPTHWISE_CONV_H_
