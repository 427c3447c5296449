#include "engine/pool_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "base/check.h"

namespace tinyvlm {

namespace {

// Columns that are summed together, so that rows are read along their cache lines.
constexpr size_t kColumns = 64;

}  // namespace

Status PoolRows(std::span<const float> rows, std::span<float> vector) {
  const size_t width = vector.size();
  TVLM_DCHECK(!rows.empty() && rows.size() % width == 0);
  const size_t count = rows.size() / width;
  // A product of two floats is exact in double: fused or not, an addition gives the same.
  double squares = 0;
  for (size_t first = 0; first < width; first += kColumns) {
    const size_t columns = std::min(kColumns, width - first);
    std::array<double, kColumns> sums{};
    for (size_t at = first; at < rows.size(); at += width) {
      for (size_t c = 0; c < columns; ++c) sums[c] += double{rows[at + c]};
    }
    for (size_t c = 0; c < columns; ++c) {
      const float mean = static_cast<float>(sums[c] / static_cast<double>(count));
      vector[first + c] = mean;
      squares += double{mean} * double{mean};
    }
  }
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm) || norm == 0) {
    return Error(ErrorCode::kInternal,
                 "an embedding of a length above 0 wanted, %g found; the model's weights may be "
                 "damaged",
                 norm);
  }
  for (float& value : vector) value = static_cast<float>(double{value} / norm);
  return Status();
}

}  // namespace tinyvlm
