// How exactly a backend computes.
#ifndef TINYVLM_BACKEND_COMPUTE_H_
#define TINYVLM_BACKEND_COMPUTE_H_

#include <string_view>

#include "base/status.h"

namespace tinyvlm {

// How matrix products are computed.
enum class Compute {
  // as fast as the backend can within the error that docs/fidelity.md allows. On the CPU:
  // activations are quantised per block of 32 (kernels/quantize.h) where the weights are Q8_0, Q5_0
  // or Q4_0; f32 elsewhere
  kFast,
  // quantised weights are dequantised and multiplied in f32: the mode that is compared with golden
  // values
  kF32,
};

// "fast" or "f32"; an error names the word found.
Result<Compute> ParseCompute(std::string_view word);

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_COMPUTE_H_
