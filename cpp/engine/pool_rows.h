// One vector for a whole image: the direction of the mean of its rows.
#ifndef TINYVLM_ENGINE_POOL_ROWS_H_
#define TINYVLM_ENGINE_POOL_ROWS_H_

#include <span>

#include "base/status.h"

namespace tinyvlm {

// Sets `vector` to the mean of `rows` ([any number, vector.size()], at least one), divided by its
// L2 norm. Sums are made in double and in the order of the rows, so equal rows give equal vectors
// in every build. Errors: internal where a value is not a number, and where the mean is zero and so
// has no direction.
Status PoolRows(std::span<const float> rows, std::span<float> vector);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_POOL_ROWS_H_
