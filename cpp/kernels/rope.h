// Rotary position embedding over the whole head, pairs (i, i + head_dim / 2): "rotate half".
#ifndef TINYVLM_KERNELS_ROPE_H_
#define TINYVLM_KERNELS_ROPE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

// cos and sin of position * theta^(-2 i / head_dim), i < head_dim / 2, for the first `positions`
// positions. Angles are computed in f64.
class RopeTable {
 public:
  RopeTable() = default;

  // head_dim is even. Errors: kOutOfMemory.
  static Result<RopeTable> Create(size_t positions, size_t head_dim, double theta) {
    RopeTable table;
    table.half_ = head_dim / 2;
    const uint64_t count = uint64_t{positions} * table.half_;
    TVLM_ASSIGN_OR_RETURN(table.cos_, AlignedBuffer<float>::Allocate(count, "rotary table"));
    TVLM_ASSIGN_OR_RETURN(table.sin_, AlignedBuffer<float>::Allocate(count, "rotary table"));
    for (size_t i = 0; i < table.half_; ++i) {
      const double frequency =
          std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
      for (size_t p = 0; p < positions; ++p) {
        table.cos_[p * table.half_ + i] =
            static_cast<float>(std::cos(static_cast<double>(p) * frequency));
        table.sin_[p * table.half_ + i] =
            static_cast<float>(std::sin(static_cast<double>(p) * frequency));
      }
    }
    return table;
  }

  // head_dim / 2 values each.
  const float* cos(size_t position) const { return cos_.data() + position * half_; }
  const float* sin(size_t position) const { return sin_.data() + position * half_; }
  uint64_t bytes() const { return (uint64_t{cos_.size()} + sin_.size()) * sizeof(float); }

 private:
  size_t half_ = 0;
  AlignedBuffer<float> cos_, sin_;
};

// Rotates x [heads][head_dim] in place: with i < head_dim / 2 and j = i + head_dim / 2, x_i becomes
// x_i cos_i - x_j sin_i and x_j becomes x_j cos_i + x_i sin_i.
void ApplyRope(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin);

namespace reference {
void ApplyRope(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_ROPE_H_
