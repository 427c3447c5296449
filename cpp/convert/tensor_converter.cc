#include "convert/tensor_converter.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "convert/model_header.h"
#include "kernels/pack.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// Values converted at once, about: a few MB of memory whatever the model's size.
constexpr uint64_t kPieceElements = 1 << 18;

// Values from this magnitude on become infinite in the type: 65520 rounds to infinity as a half,
// which scales are, too.
float Overflow(DType type) {
  constexpr float kHalf = 65520.0f;
  switch (type) {
    case DType::kF16:
      return kHalf;
    case DType::kQ8_0:
      return kHalf * 127;
    case DType::kQ5_0:
      return kHalf * 16;
    case DType::kQ4_0:
      return kHalf * 8;
    case DType::kBF16:
      return 0x1.ffp127f;
    case DType::kF32:
      return INFINITY;
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
    case DType::kI64:
      break;  // ParseConvertType knows none of them
  }
  TVLM_DCHECK(false);
  return 0;
}

// Elements that stay together: a row of a matrix, a channel of a kernel, the whole of a vector.
uint64_t RowElements(const Shape& shape) {
  return shape.size() == 1 ? shape[0] : *ElementCount(shape) / shape[0];
}

uint64_t RowCount(const Shape& shape) { return shape.size() == 1 ? 1 : shape[0]; }

// Whether two tensors are kernels and biases of one convolution. Null is none.
bool IsSameConv(const PlannedTensor* a, const PlannedTensor* b) {
  return a != nullptr && b != nullptr && a->kernel == b->kernel && a->branches == b->branches;
}

bool IsKernelOfConv(const PlannedTensor& tensor) { return tensor.shape == tensor.kernel; }

// What a tensor is called in the checkpoint, where it is one there.
const std::string& SourceName(const WeightWindow& window, const PlannedTensor& tensor) {
  const bool plain = tensor.source.empty() && tensor.branches.size() == 1 &&
                     tensor.branches[0].norm.empty() && IsKernelOfConv(tensor);
  const SafetensorsTensor* const source =
      window.Find(plain ? tensor.branches[0].kernel : tensor.source);
  return source == nullptr ? tensor.name : source->name_in_file;
}

}  // namespace

Result<TensorConverter> TensorConverter::Create(const Checkpoint& checkpoint,
                                                const ConversionOptions& options,
                                                std::span<const TensorInfo> infos,
                                                const WeightWindow& window, uint64_t stored,
                                                uint64_t sample_bytes) {
  TensorConverter converter(checkpoint, options, infos, window, stored, sample_bytes);
  if (GetDTypeInfo(options.type).block_elements > 1) {
    TVLM_ASSIGN_OR_RETURN(converter.equalizer_, Equalizer::Create(checkpoint));
  }
  uint64_t elements = kPieceElements;
  for (const PlannedTensor& tensor : checkpoint.tensors)
    elements = std::max(elements, converter.RowsTogether(tensor) * RowElements(tensor.shape));
  TVLM_ASSIGN_OR_RETURN(converter.values_,
                        AlignedBuffer<float>::Allocate(elements, "values of a tensor"));
  TVLM_ASSIGN_OR_RETURN(
      converter.bytes_,
      AlignedBuffer<uint8_t>::Allocate(elements * sizeof(float), "converted values of a tensor"));
  return converter;
}

// Rows that are written at once, or in multiples of which: packing permutes the rows of a panel,
// and a whole kernel.
uint64_t TensorConverter::RowsTogether(const PlannedTensor& tensor) const {
  if (options_.packing == Packing::kNone || tensor.role == TensorRole::kVector) return 1;
  return tensor.role == TensorRole::kKernel ? tensor.shape[0] : kPanelRows;
}

bool TensorConverter::Plan(ConvertStep* step, std::vector<WeightRange>* ranges) {
  ranges->clear();
  for (; next_tensor_ < checkpoint_.tensors.size(); ++next_tensor_, next_row_ = 0) {
    const PlannedTensor& tensor = checkpoint_.tensors[next_tensor_];
    const TensorInfo& info = infos_[next_tensor_];
    const uint64_t row = RowElements(tensor.shape), rows = RowCount(tensor.shape),
                   together = RowsTogether(tensor), row_bytes = info.bytes / rows,
                   at_once = std::max<uint64_t>(1, kPieceElements / row / together) * together;
    while (next_row_ < rows) {
      const uint64_t take = std::min(at_once, rows - next_row_),
                     begin = info.offset + next_row_ * row_bytes, end = begin + take * row_bytes;
      if (end <= stored_) {
        next_row_ += take;
        continue;
      }
      if (samples_.empty()) {
        for (const ColumnSample& sample : equalizer_.TakeSamples(tensor.name))
          samples_.push_back(sample);
      }
      if (!samples_.empty()) {
        PlanSample(step, ranges);
        return true;
      }
      *step = {&tensor, {}, next_row_, static_cast<size_t>(take), begin, end};
      next_row_ += take;
      PlanReads(*step, ranges);
      return true;
    }
  }
  return false;
}

void TensorConverter::PlanSample(ConvertStep* step, std::vector<WeightRange>* ranges) {
  const ColumnSample sample = samples_.front();
  const SafetensorsTensor* const source = window_.Find(sample.matrix->source);
  const uint64_t width = sample.matrix->shape[1], first = next_sample_row_,
                 row_bytes = width * SafetensorsTypeBytes(source->type),
                 rows = std::min(std::max<uint64_t>(1, sample_bytes_ / row_bytes),
                                 sample.rows - first);
  *step = {nullptr, sample, first, static_cast<size_t>(rows), 0, 0};
  ranges->push_back({source, first * sample.step * width, width, rows, sample.step * width});
  next_sample_row_ += rows;
  if (next_sample_row_ < sample.rows) return;
  samples_.pop_front();
  next_sample_row_ = 0;
}

void TensorConverter::PlanReads(const ConvertStep& step, std::vector<WeightRange>* ranges) {
  const PlannedTensor& tensor = *step.tensor;
  if (!tensor.source.empty()) {
    const uint64_t row = RowElements(tensor.shape);
    ranges->push_back({window_.Find(tensor.source), step.first * row, step.rows * row});
    return;
  }
  if (!IsSameConv(planned_conv_, &tensor))
    *ranges = FoldedConv::VectorRanges(window_, tensor.branches);
  planned_conv_ = &tensor;
  if (!IsKernelOfConv(tensor)) return;
  for (const WeightRange& range :
       FoldedConv::KernelRanges(window_, tensor.branches, tensor.kernel[1], step.first, step.rows))
    ranges->push_back(range);
}

Result<std::span<const uint8_t>> TensorConverter::Run(const ConvertStep& step) {
  if (step.tensor == nullptr) {
    TVLM_RETURN_IF_ERROR(Measure(step));
    return std::span<const uint8_t>();
  }
  const PlannedTensor& tensor = *step.tensor;
  const DType type = ValueType(tensor, options_);
  const size_t row = static_cast<size_t>(RowElements(tensor.shape));
  TVLM_RETURN_IF_ERROR(ReadValues(step));
  equalizer_.Apply(tensor.name, step.first, step.rows, row, values_.data());
  if (step.first + step.rows == RowCount(tensor.shape)) equalizer_.Forget(tensor.name);
  TVLM_RETURN_IF_ERROR(CheckValues(tensor, type, step.first * row, step.rows * row));
  return std::span<const uint8_t>(bytes_.data(), Encode(tensor, type, step.rows, row));
}

Status TensorConverter::Measure(const ConvertStep& step) {
  const PlannedTensor& matrix = *step.sample.matrix;
  const SafetensorsTensor& source = *window_.Find(matrix.source);
  const uint64_t width = matrix.shape[1];
  for (uint64_t r = step.first; r < step.first + step.rows; ++r) {
    TVLM_RETURN_IF_ERROR(window_.ReadF32(source, r * step.sample.step * width,
                                         static_cast<size_t>(width), values_.data()));
    equalizer_.AddRows(step.sample, 1, values_.data());
  }
  return Status();
}

// Puts the values of the step's rows into values_.
Status TensorConverter::ReadValues(const ConvertStep& step) {
  const PlannedTensor& tensor = *step.tensor;
  if (!tensor.source.empty()) {
    const uint64_t row = RowElements(tensor.shape);
    return window_.ReadF32(*window_.Find(tensor.source), step.first * row,
                           static_cast<size_t>(step.rows * row), values_.data());
  }
  if (!IsSameConv(conv_of_, &tensor)) {
    TVLM_ASSIGN_OR_RETURN(FoldedConv conv,
                          FoldedConv::Create(window_, tensor.branches, tensor.kernel));
    conv_.emplace(std::move(conv));
    conv_of_ = &tensor;
  }
  if (IsKernelOfConv(tensor)) return conv_->ReadKernels(step.first, step.rows, values_.data());
  std::transform(conv_->bias().begin(), conv_->bias().end(), values_.data(),
                 [](double value) { return static_cast<float>(value); });
  return Status();
}

// Values as they were read -> the bytes of the file, in bytes_. Returns how many.
size_t TensorConverter::Encode(const PlannedTensor& tensor, DType type, size_t rows, size_t row) {
  const size_t count = rows * row;
  QuantizeRow(type, values_.data(), count, bytes_.data());
  if (options_.packing == Packing::kPanel16 && tensor.role == TensorRole::kKernel) {
    // The values are those that a file in its own order holds, bit by bit.
    DequantizeRow(type, bytes_.data(), count, values_.data());
    const size_t cin = static_cast<size_t>(tensor.shape[1]);
    PackKernel(values_.data(), rows, cin, row / cin, reinterpret_cast<float*>(bytes_.data()));
    return count * sizeof(float);
  }
  if (options_.packing == Packing::kPanel16 && tensor.role != TensorRole::kVector)
    PackInPlace(type, rows, row, bytes_.data(), reinterpret_cast<uint8_t*>(values_.data()));
  return RowBytes(type, count);
}

Status TensorConverter::CheckValues(const PlannedTensor& tensor, DType type, uint64_t first,
                                    size_t count) const {
  const float limit = Overflow(type);
  for (size_t i = 0; i < count; ++i) {
    const float value = values_[i];
    if (std::fabs(value) < limit) continue;  // false for NaN
    const unsigned long long at = first + i;
    if (!std::isfinite(value)) {
      return Error(ErrorCode::kInvalidFile,
                   "tensor %s: finite weights wanted, %g found at element %llu",
                   SourceName(window_, tensor).c_str(), static_cast<double>(value), at);
    }
    return Error(ErrorCode::kUnsupported,
                 "tensor %s: the value %g at element %llu is too large for %s; convert it to f32",
                 SourceName(window_, tensor).c_str(), static_cast<double>(value), at,
                 GetDTypeInfo(type).name);
  }
  return Status();
}

}  // namespace tinyvlm
