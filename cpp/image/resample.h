// The inner loops of the bicubic resize: weighted sums of bytes, exact in 32-bit integers.
#ifndef TINYVLM_IMAGE_RESAMPLE_H_
#define TINYVLM_IMAGE_RESAMPLE_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

inline constexpr int kWeightBits = 22;  // fraction bits of the integer weights
// Bytes that are computed at a time: a whole number of vectors on every target.
inline constexpr size_t kResampleLanes = 48;

// The consecutive inputs that an output is a weighted sum of.
struct InputSpan {
  size_t begin = 0;
  size_t count = 0;  // 0: none, the output is black
};

// out[i] = sum over t < count of weights[t] * rows[t * stride + i], rounded and clamped to 0..255,
// for i < width; width is a multiple of kResampleLanes.
void ResampleRows(const uint8_t* rows, size_t stride, const int32_t* weights, size_t count,
                  size_t width, uint8_t* out);

// The same, one row at a time: sums[i] += weight * row[i], where sums begin as kResampleStart, and
// then out[i] = sums[i], rounded and clamped.
inline constexpr int32_t kResampleStart = 1 << (kWeightBits - 1);
void AddWeightedRow(const uint8_t* row, int32_t weight, size_t width, int32_t* sums);
void RoundSums(const int32_t* sums, size_t width, uint8_t* out);

// The same as ResampleRows for `outputs` outputs with weights of their own, over rows of
// kResampleLanes bytes without gaps: out[o][i] = sum over t < spans[o].count of weights[o *
// weights_stride + t] * rows[spans[o].begin + t][i].
void ResampleColumns(const uint8_t* rows, const InputSpan* spans, const int32_t* weights,
                     size_t weights_stride, size_t outputs, uint8_t* out);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_RESAMPLE_H_
