// The engine's kernels at the shapes of FastVLM-0.5B with an image of 512 px, each beside the loop
// that it could be as fast as.
#ifndef TINYVLM_BENCH_PROBE_KERNELS_H_
#define TINYVLM_BENCH_PROBE_KERNELS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/measure.h"
#include "kernels/relaxed_dots.h"

namespace tinyvlm {

// Rounds of a measurement and the time of each.
struct ProbeEffort {
  size_t rounds = 7;
  double round_ms = 25;
  bool quick = false;                            // a few shapes only: for tests of the program
  RelaxedDot relaxed_dot = RelaxedDot::kFaster;  // relaxed wasm builds only
};

// One matrix product: C[m, n] = A[m, k] * B[n, k]^T, `columns` columns of C per call as the engine
// cuts it.
struct ProductResult {
  std::string name;
  std::string type;  // of the weights; "f32" activations for f32, quantised ones else
  size_t m, n, k;
  Spread macs;  // multiply-adds per second
  double weight_bytes;
  bool row;  // one row: its roof is that of the one-row loop, or the memory's
};

// Every product in the types f32, q8_0 and q4_0.
Result<std::vector<ProductResult>> MeasureProducts(const ProbeEffort& effort);

// A kernel that is no matrix product.
struct OtherResult {
  std::string name;
  std::string size;       // in words
  Spread values;          // results per second
  double macs_per_value;  // multiply-adds behind each result in exact arithmetic; 0: not counted
};

Result<std::vector<OtherResult>> MeasureOthers(const ProbeEffort& effort);

}  // namespace tinyvlm

#endif  // TINYVLM_BENCH_PROBE_KERNELS_H_
