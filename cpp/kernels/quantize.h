// Activations to integers: blocks of 32 along a row, each with its own f32 scale. A block holds 8
// bits a value; one in which a few outliers would leave the other values no bits to speak of holds
// 16 (a wide block).
#ifndef TINYVLM_KERNELS_QUANTIZE_H_
#define TINYVLM_KERNELS_QUANTIZE_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// A block in which at most this many values are larger than an eighth of its largest one is wide.
// Of normally distributed values three quarters are, of their products (what silu(gate) * up is
// like) a third, so that ordinary blocks are narrow; beside one outlier of 20 times their deviation
// it is the outlier alone. docs/fidelity.md says what it is good for.
inline constexpr size_t kMaxOutliers = 2;
inline constexpr float kOutlierShare = 0.125f;

// The largest integers: of a narrow block, and of a wide one, whose integers are low + kWideStep *
// high. Both bytes are in -127..127 then: with a step of 256 one of them would reach -128, and a
// sum of 5-bit weights' products would leave 16 bits (block_products-inl.h).
inline constexpr int32_t kNarrowRange = 127;
inline constexpr int32_t kWideStep = 255;
inline constexpr int32_t kWideRange = kNarrowRange * kWideStep + kNarrowRange;

// Quantised rows of k values each (k a multiple of 32), as kernels read them. Value q = low +
// kWideStep * high, where `high` counts in wide blocks only and is not written in others. A view:
// the memory belongs to its maker.
struct QuantizedRows {
  size_t k = 0;
  int8_t* low = nullptr;    // [m][k]
  int8_t* high = nullptr;   // [m][k]
  float* scales = nullptr;  // [m][k / 32]
  // [m][k / 32]: of a block's low bytes the sum of those at 0 and 1 of every four in the lower 16
  // bits (signed), of 2 and 3
  int32_t* low_sums = nullptr;
  // in the upper. The same for the high bytes; not written for narrow blocks.
  int32_t* high_sums = nullptr;
  uint8_t* wide = nullptr;  // [m][k / 32]: 1 where the block is wide, else 0

  // Bytes for m rows, a multiple of 64.
  static constexpr uint64_t Bytes(uint64_t m, uint64_t k) {
    return Padded(m * k) * 2 + Padded(m * (k / 32) * sizeof(float)) +
           Padded(m * (k / 32) * sizeof(int32_t)) * 2 + Padded(m * (k / 32));
  }

  // Lays m rows out in Bytes(m, k) bytes at `memory`, which is aligned to 64.
  static QuantizedRows At(uint8_t* memory, size_t m, size_t k) {
    const auto take = [&memory](uint64_t bytes) {
      uint8_t* const part = memory;
      memory += Padded(bytes);
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
    rows.wide = take(blocks);
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
            wide + blocks};
  }

  bool IsWide(size_t row, size_t block) const { return wide[row * (k / 32) + block] != 0; }

  // Value i of a row.
  int32_t Value(size_t row, size_t i) const {
    return low[row * k + i] + (IsWide(row, i / 32) ? kWideStep * high[row * k + i] : 0);
  }

 private:
  static constexpr uint64_t Padded(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
};

// For m rows of out.k values (`stride` apart): scale = max|x| / range per block, q = x / scale
// rounded to the nearest (ties to even), in -range..range, where range is kNarrowRange, or
// kWideRange for a block with outliers. A block below 1e-30 becomes zero. A block that holds an
// infinity or a NaN gets q = 0 and a scale that is not finite either, so that a product with it
// shows the fault.
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out);

// The same of columns [32 * b0, 32 * b1) only, the first of which x points to.
void QuantizeBlocks(const float* x, size_t stride, size_t m, size_t b0, size_t b1,
                    const QuantizedRows& out);

namespace reference {
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_QUANTIZE_H_
