#include "convert/fold.h"

#include <cmath>

#include "convert/checkpoint.h"

namespace tinyvlm {

namespace {

constexpr double kEpsilon = 1e-5;

Result<std::vector<float>> ReadVector(const Safetensors& weights, const std::string& name, uint64_t channels) {
  TVLM_ASSIGN_OR_RETURN(const SafetensorsTensor* const tensor, FindTensor(weights, name, {channels}));
  std::vector<float> values(static_cast<size_t>(channels));
  TVLM_RETURN_IF_ERROR(weights.ReadF32(*tensor, 0, values.size(), values.data()));
  for (size_t c = 0; c < values.size(); ++c) {
    if (!std::isfinite(values[c])) {
      return Error(ErrorCode::kInvalidFile, "tensor %s: finite weights wanted, %g found at element %zu", name.c_str(), static_cast<double>(values[c]), c);
    }
  }
  return values;
}

}  // namespace

Result<BatchNorm> ReadBatchNorm(const Safetensors& weights, const std::string& prefix, uint64_t channels) {
  TVLM_ASSIGN_OR_RETURN(const std::vector<float> gamma, ReadVector(weights, prefix + ".weight", channels));
  TVLM_ASSIGN_OR_RETURN(const std::vector<float> beta, ReadVector(weights, prefix + ".bias", channels));
  TVLM_ASSIGN_OR_RETURN(const std::vector<float> mean, ReadVector(weights, prefix + ".running_mean", channels));
  TVLM_ASSIGN_OR_RETURN(const std::vector<float> variance, ReadVector(weights, prefix + ".running_var", channels));
  BatchNorm norm;
  for (size_t c = 0; c < gamma.size(); ++c) {
    if (variance[c] < 0) {
      return Error(ErrorCode::kInvalidFile, "tensor %s.running_var: variances of at least 0 wanted, %g found at %zu", prefix.c_str(), static_cast<double>(variance[c]), c);
    }
    norm.scale.push_back(gamma[c] / std::sqrt(double{variance[c]} + kEpsilon));
    norm.shift.push_back(beta[c] - mean[c] * norm.scale.back());
  }
  return norm;
}

}  // namespace tinyvlm
