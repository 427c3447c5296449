// Training form -> inference form: the parts of a convolution that follow from others, computed in f64 (spec of the tower: re-parameterisation).
#ifndef TINYVLM_CONVERT_FOLD_H_
#define TINYVLM_CONVERT_FOLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// A BatchNorm in evaluation form: y = scale * x + shift, per channel.
struct BatchNorm {
  std::vector<double> scale;  // weight / sqrt(running_var + 1e-5)
  std::vector<double> shift;  // bias - running_mean * scale
};

// Reads `prefix`.{weight,bias,running_mean,running_var} of `channels` values. Errors name the tensor that is missing, of another shape or impossible.
Result<BatchNorm> ReadBatchNorm(const Safetensors& weights, const std::string& prefix, uint64_t channels);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_FOLD_H_
