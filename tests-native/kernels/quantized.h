// Quantised activations that own their memory.
#ifndef TINYVLM_TESTS_KERNELS_QUANTIZED_H_
#define TINYVLM_TESTS_KERNELS_QUANTIZED_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/quantize.h"

namespace tinyvlm {

// The first place in `memory` that is aligned to 64; it needs 63 bytes more than are used.
inline uint8_t* AlignedIn(std::vector<uint8_t>& memory) {
  return memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
}

// m rows of k values, int8 blocks of zeros at first. Memory that a kernel does not write stays
// 0x55.
struct QuantizedMatrix {
  QuantizedMatrix(size_t m, size_t k)
      : memory(QuantizedRows::Bytes(m, k) + 64, 0x55),
        rows(QuantizedRows::At(AlignedIn(memory), m, k)) {
    const int32_t zeros[32] = {};
    for (size_t r = 0; r < m; ++r) {
      for (size_t b = 0; b < k / 32; ++b) SetBlock(r, b, zeros, false, 0.0f);
    }
  }
  QuantizedMatrix(const QuantizedMatrix&) = delete;
  QuantizedMatrix(QuantizedMatrix&& other) noexcept = default;

  // Sets a block of a row to the 32 integers at q: an int8 block, or an outlier block.
  void SetBlock(size_t row, size_t block, const int32_t* q, bool outlier, float scale) {
    const size_t at = row * (rows.k / 32) + block;
    rows.outlier[at] = outlier ? 1 : 0;
    rows.scales[at] = scale;
    uint32_t sums[2][2] = {};
    for (size_t i = 0; i < 32; ++i) {
      const int32_t high = outlier ? static_cast<int32_t>(
                                         std::lround(static_cast<double>(q[i]) / kHighStep))
                                   : 0,
                    low = q[i] - kHighStep * high;
      rows.low[at * 32 + i] = static_cast<int8_t>(low);
      if (outlier) rows.high[at * 32 + i] = static_cast<int8_t>(high);
      sums[0][i % 4 / 2] += static_cast<uint32_t>(low);
      sums[1][i % 4 / 2] += static_cast<uint32_t>(high);
    }
    rows.low_sums[at] = static_cast<int32_t>((sums[0][0] & 0xffff) | sums[0][1] << 16);
    if (outlier)
      rows.high_sums[at] = static_cast<int32_t>((sums[1][0] & 0xffff) | sums[1][1] << 16);
  }

  std::vector<uint8_t> memory;
  QuantizedRows rows;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_KERNELS_QUANTIZED_H_
