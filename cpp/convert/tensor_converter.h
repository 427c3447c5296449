// The data section of a model file, range of rows by range of rows, from values of the checkpoint
// that are in memory for that long.
#ifndef TINYVLM_CONVERT_TENSOR_CONVERTER_H_
#define TINYVLM_CONVERT_TENSOR_CONVERTER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "convert/checkpoint.h"
#include "convert/conversion_options.h"
#include "convert/equalize.h"
#include "convert/fold.h"
#include "convert/weight_window.h"
#include "tensor/tensor.h"

namespace tinyvlm {

// One step of a conversion: rows of a tensor of the model file, or rows of a matrix that the
// equaliser measures.
struct ConvertStep {
  const PlannedTensor* tensor = nullptr;  // null: `sample` is measured
  ColumnSample sample;
  uint64_t first = 0;  // row, of the tensor or of the sample's rows
  size_t rows = 0;
  // Bytes [begin, end) of the data section that the step gives; none where it measures.
  uint64_t begin = 0, end = 0;
};

// Plans the steps, in the order of the file, and runs them. Planning may be ahead of running.
class TensorConverter {
 public:
  // Steps that would only give some of the first `stored` bytes of the data section are left out.
  // `infos` are the header's, one for each tensor of the checkpoint. A step measures at most about
  // `sample_bytes` bytes of the checkpoint. All but numbers are borrowed.
  static Result<TensorConverter> Create(const Checkpoint& checkpoint,
                                        const ConversionOptions& options,
                                        std::span<const TensorInfo> infos,
                                        const WeightWindow& window, uint64_t stored,
                                        uint64_t sample_bytes);

  // The next step, and what must be in the window when it is run. False where none is left.
  bool Plan(ConvertStep* step, std::vector<WeightRange>* ranges);

  // Runs a step; steps run in the order in which they were planned. The bytes that it gives, which
  // are valid until the next call. Errors name the tensor and the element.
  Result<std::span<const uint8_t>> Run(const ConvertStep& step);

  // Bytes of the buffers.
  size_t buffer_bytes() const { return values_.size() * sizeof(float) + bytes_.size(); }

 private:
  TensorConverter(const Checkpoint& checkpoint, const ConversionOptions& options,
                  std::span<const TensorInfo> infos, const WeightWindow& window, uint64_t stored,
                  uint64_t sample_bytes)
      : checkpoint_(checkpoint),
        options_(options),
        infos_(infos),
        window_(window),
        stored_(stored),
        sample_bytes_(sample_bytes) {}

  uint64_t RowsTogether(const PlannedTensor& tensor) const;
  void PlanSample(ConvertStep* step, std::vector<WeightRange>* ranges);
  void PlanReads(const ConvertStep& step, std::vector<WeightRange>* ranges);
  Status Measure(const ConvertStep& step);
  Status ReadValues(const ConvertStep& step);
  size_t Encode(const PlannedTensor& tensor, DType type, size_t rows, size_t row);
  Status CheckValues(const PlannedTensor& tensor, DType type, uint64_t first, size_t count) const;

  const Checkpoint& checkpoint_;
  const ConversionOptions& options_;
  std::span<const TensorInfo> infos_;
  const WeightWindow& window_;
  const uint64_t stored_, sample_bytes_;
  Equalizer equalizer_;

  // Planning: the next step, and the last convolution whose vectors were planned.
  size_t next_tensor_ = 0;
  uint64_t next_row_ = 0;
  std::deque<ColumnSample> samples_;  // before that step
  uint64_t next_sample_row_ = 0;
  const PlannedTensor* planned_conv_ = nullptr;

  // Running: the convolution that was folded last.
  const PlannedTensor* conv_of_ = nullptr;
  std::optional<FoldedConv> conv_;
  AlignedBuffer<float> values_;
  AlignedBuffer<uint8_t> bytes_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_TENSOR_CONVERTER_H_
