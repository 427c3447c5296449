// Quantisation of activations: blocks of 32 along a row, each with its own f32 scale. A block holds
// int8 values; one in which a few outliers would leave too few bits for the other values holds
// int16 values (an outlier block).
#ifndef TINYVLM_KERNELS_QUANTIZE_H_
#define TINYVLM_KERNELS_QUANTIZE_H_

#include <cstddef>
#include <cstdint>

#include "base/rounding.h"

namespace tinyvlm {

// An outlier block is one in which at most kMaxOutliers values are larger than an eighth
// (kOutlierShare) of its largest one. Of normally distributed values three quarters are, of their
// products (such as silu(gate) * up) a third, so that ordinary blocks stay int8; beside an outlier
// of 20 standard deviations only the outlier is. docs/fidelity.md measures the effect.
inline constexpr size_t kMaxOutliers = 2;
inline constexpr float kOutlierShare = 0.125f;

// The largest integers: of an int8 block, and of an outlier block, whose values are low + kHighStep
// * high. Both bytes are then in -127..127: with a step of 256 one of them would reach -128, and a
// sum of products with 5-bit weights would not fit in int16 (Int8Dot2, block_dot-inl.h).
inline constexpr int32_t kInt8Range = 127;
inline constexpr int32_t kHighStep = 255;
inline constexpr int32_t kInt16Range = kInt8Range * kHighStep + kInt8Range;

// Quantised rows of k values each (k a multiple of 32), as kernels read them. Value q = low +
// kHighStep * high, where `high` is 0 in int8 blocks and not written there. A view: the memory
// belongs to its maker.
struct QuantizedRows {
  size_t k = 0;
  int8_t* low = nullptr;    // [m][k]
  int8_t* high = nullptr;   // [m][k]
  float* scales = nullptr;  // [m][k / 32]

  // [m][k / 32]: two sums of a block's low bytes, as int16 halves. Lower half: elements 0 and 1 of
  // every four; upper half: elements 2 and 3. Kernels correct for the zero point of weights by
  // them.
  int32_t* low_sums = nullptr;
  int32_t* high_sums = nullptr;  // the same of the high bytes; not written for int8 blocks
  uint8_t* outlier = nullptr;    // [m][k / 32]: 1 for an outlier block, else 0

  // Bytes that m rows take, a multiple of 64.
  static constexpr uint64_t Bytes(uint64_t m, uint64_t k) {
    return AlignUp(m * k) * 2 + AlignUp(m * (k / 32) * sizeof(float)) +
           AlignUp(m * (k / 32) * sizeof(int32_t)) * 2 + AlignUp(m * (k / 32));
  }

  // Lays m rows out in Bytes(m, k) bytes at `memory`, which is aligned to 64.
  static QuantizedRows At(uint8_t* memory, size_t m, size_t k) {
    const auto take = [&memory](uint64_t bytes) {
      uint8_t* const part = memory;
      memory += AlignUp(bytes);
      return part;
    };
    const uint64_t values = uint64_t{m} * k, blocks = uint64_t{m} * (k / 32);
    QuantizedRows rows;
    rows.k = k;
    rows.low = reinterpret_cast<int8_t*>(take(values));
    rows.high = reinterpret_cast<int8_t*>(take(values));
    rows.scales = reinterpret_cast<float*>(take(blocks * sizeof(float)));
    rows.low_sums = reinterpret_cast<int32_t*>(take(blocks * sizeof(int32_t)));
    rows.high_sums = reinterpret_cast<int32_t*>(take(blocks * sizeof(int32_t)));
    rows.outlier = take(blocks);
    return rows;
  }

  // The rows from `row` on.
  QuantizedRows From(size_t row) const {
    const size_t blocks = row * (k / 32);
    return {k,
            low + row * k,
            high + row * k,
            scales + blocks,
            low_sums + blocks,
            high_sums + blocks,
            outlier + blocks};
  }

  bool IsOutlierBlock(size_t row, size_t block) const {
    return outlier[row * (k / 32) + block] != 0;
  }

  // Value i of a row.
  int32_t Value(size_t row, size_t i) const {
    return low[row * k + i] + (IsOutlierBlock(row, i / 32) ? kHighStep * high[row * k + i] : 0);
  }
};

// For m rows of out.k values (`stride` apart): scale = max|x| / range per block, q = x / scale
// rounded to the nearest (ties to even), in -range..range, where range is kInt8Range, or
// kInt16Range for an outlier block. A block whose values are all below 1e-30 becomes zero. A block
// that holds an infinity or a NaN gets q = 0 and a scale that is not finite, so that the fault
// shows in every product with it.
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out);

// The same for columns [32 * b0, 32 * b1) only; x points to the first of them.
void QuantizeBlocks(const float* x, size_t stride, size_t m, size_t b0, size_t b1,
                    const QuantizedRows& out);

// The same in plain loops.
namespace reference {
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_QUANTIZE_H_
