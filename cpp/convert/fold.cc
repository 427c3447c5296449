#include "convert/fold.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>

namespace tinyvlm {

namespace {

constexpr double kEpsilon = 1e-5;

Status CheckFinite(const std::string& name, const float* values, size_t count, uint64_t first) {
  for (size_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) continue;
    return Error(ErrorCode::kInvalidFile,
                 "tensor %s: finite weights wanted, %g found at element %" PRIu64, name.c_str(),
                 static_cast<double>(values[i]), first + i);
  }
  return Status();
}

Result<std::vector<float>> ReadVector(const WeightWindow& weights, const std::string& name) {
  const SafetensorsTensor& tensor = *weights.Find(name);
  std::vector<float> values(static_cast<size_t>(tensor.elements));
  TVLM_RETURN_IF_ERROR(weights.ReadF32(tensor, 0, values.size(), values.data()));
  TVLM_RETURN_IF_ERROR(CheckFinite(tensor.name_in_file, values.data(), values.size(), 0));
  return values;
}

// A BatchNorm in evaluation form: y = gain * x + shift, per channel.
struct BatchNorm {
  std::vector<double> gain;   // weight / sqrt(running_var + 1e-5)
  std::vector<double> shift;  // bias - running_mean * gain
};

Result<BatchNorm> ReadBatchNorm(const WeightWindow& weights, const std::string& prefix) {
  std::vector<float> parts[4];  // in the order of kBatchNormParts
  for (size_t i = 0; i < 4; ++i) {
    TVLM_ASSIGN_OR_RETURN(parts[i], ReadVector(weights, prefix + kBatchNormParts[i]));
  }
  const auto& [gamma, beta, mean, variance] = parts;
  BatchNorm norm;
  for (size_t c = 0; c < gamma.size(); ++c) {
    if (variance[c] < 0) {
      return Error(ErrorCode::kInvalidFile,
                   "tensor %s: variances of at least 0 wanted, %g found at %zu",
                   weights.Find(prefix + kBatchNormParts[3])->name_in_file.c_str(),
                   static_cast<double>(variance[c]), c);
    }
    norm.gain.push_back(gamma[c] / std::sqrt(double{variance[c]} + kEpsilon));
    norm.shift.push_back(beta[c] - mean[c] * norm.gain.back());
  }
  return norm;
}

}  // namespace

Result<FoldedConv> FoldedConv::Create(const WeightWindow& weights,
                                      const std::vector<ConvBranch>& branches,
                                      const Shape& kernel) {
  FoldedConv conv(weights, branches);
  const size_t outputs = static_cast<size_t>(kernel[0]);
  conv.inputs_ = static_cast<size_t>(kernel[1]);
  conv.side_ = kernel.size() == 4 ? static_cast<size_t>(kernel[3]) : 1;
  conv.bias_.assign(outputs, 0.0);
  for (const ConvBranch& branch : branches) {
    std::vector<double> factor(outputs, branch.subtract ? -1.0 : 1.0), shift(outputs, 0.0);
    if (!branch.scale.empty()) {
      TVLM_ASSIGN_OR_RETURN(const std::vector<float> scale, ReadVector(weights, branch.scale));
      for (size_t c = 0; c < outputs; ++c) factor[c] *= scale[c];
    }
    BatchNorm norm;
    if (!branch.norm.empty()) {
      TVLM_ASSIGN_OR_RETURN(norm, ReadBatchNorm(weights, branch.norm));
      for (size_t c = 0; c < outputs; ++c) shift[c] = factor[c] * norm.shift[c];
      for (size_t c = 0; c < outputs; ++c) factor[c] *= norm.gain[c];
    }
    if (!branch.bias.empty()) {
      TVLM_ASSIGN_OR_RETURN(const std::vector<float> bias, ReadVector(weights, branch.bias));
      for (size_t c = 0; c < outputs; ++c) shift[c] += factor[c] * bias[c];
    }
    for (size_t c = 0; c < outputs; ++c) conv.bias_[c] += shift[c];
    conv.factors_.push_back(std::move(factor));
  }
  return conv;
}

std::vector<WeightRange> FoldedConv::VectorRanges(const WeightWindow& weights,
                                                  const std::vector<ConvBranch>& branches) {
  std::vector<WeightRange> ranges;
  const auto add = [&](const std::string& name) {
    const SafetensorsTensor& tensor = *weights.Find(name);
    ranges.push_back({&tensor, 0, tensor.elements});
  };
  for (const ConvBranch& branch : branches) {
    if (!branch.scale.empty()) add(branch.scale);
    if (!branch.bias.empty()) add(branch.bias);
    if (branch.norm.empty()) continue;
    for (const char* part : kBatchNormParts) add(branch.norm + part);
  }
  return ranges;
}

std::vector<WeightRange> FoldedConv::KernelRanges(const WeightWindow& weights,
                                                  const std::vector<ConvBranch>& branches,
                                                  uint64_t inputs, uint64_t first, uint64_t rows) {
  std::vector<WeightRange> ranges;
  for (const ConvBranch& branch : branches) {
    if (branch.kernel.empty()) continue;
    const uint64_t row = inputs * branch.side * branch.side;
    ranges.push_back({weights.Find(branch.kernel), first * row, rows * row});
  }
  return ranges;
}

Status FoldedConv::ReadKernels(uint64_t first, size_t rows, float* values) {
  const size_t taps = side_ * side_, row = inputs_ * taps;
  sums_.assign(rows * row, 0.0);
  for (size_t b = 0; b < branches_.size(); ++b) {
    const ConvBranch& branch = branches_[b];
    const double* const factor = factors_[b].data() + first;
    if (branch.kernel.empty()) {
      for (size_t r = 0; r < rows; ++r)
        sums_[r * row + static_cast<size_t>((first + r) % inputs_) * taps + taps / 2] += factor[r];
      continue;
    }
    const size_t side = static_cast<size_t>(branch.side), pad = (side_ - side) / 2,
                 count = rows * inputs_ * side * side;
    const uint64_t start = first * inputs_ * side * side;
    values_.resize(count);
    const SafetensorsTensor& kernel = *weights_.Find(branch.kernel);
    TVLM_RETURN_IF_ERROR(weights_.ReadF32(kernel, start, count, values_.data()));
    TVLM_RETURN_IF_ERROR(CheckFinite(kernel.name_in_file, values_.data(), count, start));
    for (size_t r = 0, from = 0; r < rows; ++r) {
      for (size_t i = 0; i < inputs_; ++i) {
        double* const to = sums_.data() + r * row + i * taps + pad * side_ + pad;
        for (size_t y = 0; y < side; ++y) {
          for (size_t x = 0; x < side; ++x) to[y * side_ + x] += factor[r] * values_[from++];
        }
      }
    }
  }
  std::transform(sums_.begin(), sums_.end(), values,
                 [](double sum) { return static_cast<float>(sum); });
  return Status();
}

}  // namespace tinyvlm
