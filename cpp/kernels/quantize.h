// Activations to integers: blocks of 32 along a row, each with its own f32 scale. A block holds 8 bits a value; one in which a few outliers would leave the
// other values no bits to speak of holds 16.
#ifndef TINYVLM_KERNELS_QUANTIZE_H_
#define TINYVLM_KERNELS_QUANTIZE_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// Words of a block of 32 activations: pairs of i16, of which the first is the low half. Word i < 8 holds elements 4i and 4i + 2, word 8 + i elements
// 4i + 1 and 4i + 3: the order in which gemm_i8 meets the bytes of the weights.
inline constexpr size_t kBlockPairs = 16;

// A block in which at most this many values are larger than a quarter of its largest one holds 16 bits. Of normally distributed values more than half are;
// beside one outlier of 8 times their deviation 2 in 32 are. docs/fidelity.md says what it is good for.
inline constexpr size_t kMaxOutliers = 4;
inline constexpr float kOutlierShare = 0.25f;

// For m rows of k values (k a multiple of 32; rows `stride` apart): scale = max|x| / range per block, q = x / scale rounded to the nearest (ties to even), in
// -range..range, where range is 127, or 32767 for a block with outliers. pairs is [m][k / 32][kBlockPairs], scales [m][k / 32]. A block below 1e-30 becomes
// zero. A block that holds an infinity or a NaN gets q = 0 and a scale that is not finite either, so that a product with it shows the fault.
void QuantizeRows(const float* x, size_t stride, size_t m, size_t k, int32_t* pairs, float* scales);

namespace reference {
void QuantizeRows(const float* x, size_t stride, size_t m, size_t k, int32_t* pairs, float* scales);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_QUANTIZE_H_
