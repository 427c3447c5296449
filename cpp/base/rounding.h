// Rounding up: how many tiles cover a range, how many bytes a buffer takes among others.
#ifndef TINYVLM_BASE_ROUNDING_H_
#define TINYVLM_BASE_ROUNDING_H_

#include <cstddef>
#include <cstdint>

#include "base/aligned.h"

namespace tinyvlm {

// ceil(a / b), b > 0.
constexpr size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

// The next multiple of kAlignment: where the buffer behind one of `bytes` bytes begins.
constexpr uint64_t AlignUp(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_ROUNDING_H_
