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

// m rows of k values, zero and narrow at first. What a kernel leaves unwritten shows as 0x55.
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

  // Block `block` of a row becomes the 32 integers at q.
  void SetBlock(size_t row, size_t block, const int32_t* q, bool wide, float scale) {
    const size_t at = row * (rows.k / 32) + block;
    rows.wide[at] = wide ? 1 : 0;
    rows.scales[at] = scale;
    uint32_t sums[2][2] = {};
    for (size_t i = 0; i < 32; ++i) {
      const int32_t high = wide ? static_cast<int32_t>(
                                      std::lround(static_cast<double>(q[i]) / kWideStep))
                                : 0,
                    low = q[i] - kWideStep * high;
      rows.low[at * 32 + i] = static_cast<int8_t>(low);
      if (wide) rows.high[at * 32 + i] = static_cast<int8_t>(high);
      sums[0][i % 4 / 2] += static_cast<uint32_t>(low);
      sums[1][i % 4 / 2] += static_cast<uint32_t>(high);
    }
    rows.low_sums[at] = static_cast<int32_t>((sums[0][0] & 0xffff) | sums[0][1] << 16);
    if (wide) rows.high_sums[at] = static_cast<int32_t>((sums[1][0] & 0xffff) | sums[1][1] << 16);
  }

  std::vector<uint8_t> memory;
  QuantizedRows rows;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_KERNELS_QUANTIZED_H_
