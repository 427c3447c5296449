// Training form -> inference form: a convolution as the sum of its branches, computed in f64 (spec
// of the tower: re-parameterisation).
#ifndef TINYVLM_CONVERT_FOLD_H_
#define TINYVLM_CONVERT_FOLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/weight_window.h"
#include "tensor/shape.h"

namespace tinyvlm {

// One summand of a convolution of `out` channels: +-scale * BatchNorm(kernel * x + bias). Names are
// canonical ones of tensors of the checkpoint; empty ones are absent.
struct ConvBranch {
  // [out, in / groups, side, side], zero-padded around the centre; absent: the identity, 1 at the
  // centre of a channel's own input
  std::string kernel;
  uint64_t side = 1;  // odd
  std::string bias;   // [out]
  std::string norm;   // prefix of a BatchNorm of `out` channels
  std::string scale;  // [out]: a layer scale
  bool subtract = false;

  bool operator==(const ConvBranch&) const = default;
};

// The tensors of a BatchNorm behind its prefix.
inline constexpr const char* kBatchNormParts[] = {".weight", ".bias", ".running_mean",
                                                  ".running_var"};

// The convolution that equals a sum of branches. Holds window and branches by reference; what it
// reads must be in the window at that time.
class FoldedConv {
 public:
  // `kernel` is the shape of the sum: [out, in / groups, side, side], or [out, in] for side 1. The
  // branches' tensors must have been checked to exist with their shapes. Reads the vectors; errors
  // name tensors whose values cannot be.
  static Result<FoldedConv> Create(const WeightWindow& weights,
                                   const std::vector<ConvBranch>& branches, const Shape& kernel);

  // What Create reads: all vectors of the branches.
  static std::vector<WeightRange> VectorRanges(const WeightWindow& weights,
                                               const std::vector<ConvBranch>& branches);

  // What ReadKernels reads for the output channels [first, first + rows).
  static std::vector<WeightRange> KernelRanges(const WeightWindow& weights,
                                               const std::vector<ConvBranch>& branches,
                                               uint64_t inputs, uint64_t first, uint64_t rows);

  // [out]: sum of +-scale * (shift + bias * gain), where BatchNorm(x) = gain * x + shift.
  const std::vector<double>& bias() const { return bias_; }

  // Kernels of the output channels [first, first + rows): values[rows][in / groups][side][side]. A
  // weight that is not finite is an error with its name.
  Status ReadKernels(uint64_t first, size_t rows, float* values);

 private:
  FoldedConv(const WeightWindow& weights, const std::vector<ConvBranch>& branches)
      : weights_(weights), branches_(branches) {}

  const WeightWindow& weights_;
  const std::vector<ConvBranch>& branches_;
  size_t inputs_ = 0;  // in / groups
  size_t side_ = 1;
  std::vector<std::vector<double>> factors_;  // [branch][out]: +-scale * gain
  std::vector<double> bias_;
  std::vector<double> sums_;   // of the rows being read
  std::vector<float> values_;  // of one branch's
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_FOLD_H_
