// Activations to 8 bits: blocks of 32 along a row, each with its own f32 scale, so that an outlier channel spoils its own block only.
#ifndef TINYVLM_KERNELS_QUANTIZE_H_
#define TINYVLM_KERNELS_QUANTIZE_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// For m rows of k values (k a multiple of 32; rows `stride` apart): scale = max|x| / 127 per block, q = x / scale rounded to the nearest (ties to
// even), in -127..127. q is [m][k], scales [m][k / 32]. A block below 1e-30 becomes zero. A block that holds an infinity or a NaN gets q = 0 and a scale
// that is not finite either, so that a product with it shows the fault.
void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales);

namespace reference {
void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_QUANTIZE_H_
