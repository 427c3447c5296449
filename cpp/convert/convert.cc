#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/check.h"
#include "convert/checkpoint.h"
#include "convert/checkpoint_tokenizer.h"
#include "convert/equalize.h"
#include "convert/fold.h"
#include "formats/gguf_writer.h"
#include "kernels/pack.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// Values converted at once, about: a few MB of memory whatever the model's size.
constexpr uint64_t kPieceElements = 1 << 18;

// Rows of quantised matrices are cut into blocks of this many.
constexpr uint64_t kBlock = 32;

// Each row of features that the released towers give stands for so many pixels of a side.
constexpr uint32_t kImageSizeStep = 64;

// general.file_type, llama.cpp's number for "mostly this type".
uint32_t FileType(DType type) {
  switch (type) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ5_0:
      return 8;
    case DType::kBF16:
      return 32;
    case DType::kQ8_0:
      return 7;
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

// The type that a tensor's values are rounded to (docs/model-file.md).
DType ValueType(const PlannedTensor& tensor, const ConvertOptions& options) {
  if (tensor.role == TensorRole::kVector) return DType::kF32;
  DType type = options.type;
  if (tensor.role != TensorRole::kDecoderMatrix) {
    const std::optional<DType>& asked =
        tensor.role == TensorRole::kEmbedding ? options.embedding_type : options.vision_type;
    // Four bits are too few for these (docs/fidelity.md). The tower does with five, which multiply
    // as fast as four.
    const DType usual = type != DType::kQ4_0                    ? type
                        : tensor.role == TensorRole::kEmbedding ? DType::kQ8_0
                                                                : DType::kQ5_0;
    type = asked.value_or(usual);
  }
  const bool can_block = tensor.role != TensorRole::kKernel && tensor.shape.back() % kBlock == 0;
  return type == DType::kF32 || can_block ? type : DType::kF16;
}

// The type of a tensor in the file: a panel16 file holds everything but matrices as F32, which is
// what the kernels read.
DType StoredType(const PlannedTensor& tensor, const ConvertOptions& options) {
  const bool widened = options.packing == Packing::kPanel16 && tensor.role == TensorRole::kKernel;
  return widened ? DType::kF32 : ValueType(tensor, options);
}

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

// The last component of a path, where it can be shown to people.
std::string FolderName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string name = path.substr(path.rfind('/') + 1);
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return name.empty() || name == "." || name == ".." || !printable ? "FastVLM" : name;
}

// The ratio from which the engine gets back exactly `hidden` by cutting off the product's fraction.
float RatioOf(uint32_t hidden, uint32_t channels) {
  float ratio = static_cast<float>(static_cast<double>(hidden) / channels);
  if (static_cast<double>(ratio) * channels < hidden) ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

void AddModelKeys(const Checkpoint& checkpoint, const ConvertOptions& options, GgufWriter* writer) {
  const CheckpointConfig& config = checkpoint.config;
  writer->AddString("general.architecture", "fastvlm");
  writer->AddString("general.name", FolderName(options.checkpoint));
  writer->AddU32("general.file_type", FileType(options.type));
  writer->AddU32("general.quantization_version", 2);
  if (options.packing != Packing::kNone)
    writer->AddString(kPackingKey, PackingName(options.packing));

  writer->AddU32("qwen2.block_count", config.layers);
  writer->AddU32("qwen2.context_length", config.max_positions);
  writer->AddU32("qwen2.embedding_length", config.width);
  writer->AddU32("qwen2.feed_forward_length", config.ffn);
  writer->AddU32("qwen2.attention.head_count", config.heads);
  writer->AddU32("qwen2.attention.head_count_kv", config.kv_heads);
  writer->AddF32("qwen2.attention.layer_norm_rms_epsilon", config.rms_epsilon);
  writer->AddF32("qwen2.rope.freq_base", config.rope_theta);

  std::vector<int32_t> depths, dims, attention;
  std::vector<float> ratios;
  for (const TowerStage& stage : checkpoint.stages) {
    if (stage.attention) attention.push_back(static_cast<int32_t>(depths.size()));
    depths.push_back(static_cast<int32_t>(stage.depth));
    dims.push_back(static_cast<int32_t>(stage.channels));
    ratios.push_back(RatioOf(stage.hidden, stage.channels));
  }
  writer->AddU32("fastvlm.vision.image_size",
                 options.image_size != 0 ? options.image_size : checkpoint.image_size);
  writer->AddI32Array("fastvlm.vision.depths", depths);
  writer->AddI32Array("fastvlm.vision.dims", dims);
  writer->AddF32Array("fastvlm.vision.mlp_ratios", ratios);
  writer->AddU32("fastvlm.vision.head_dim", kTowerHeadDim);
  writer->AddI32Array("fastvlm.vision.attn_stages", attention);
  writer->AddU32("fastvlm.vision.se_dim", checkpoint.se_dim);
  writer->AddString("fastvlm.vision.resize_mode",
                    options.resize.empty() ? config.resize_mode : options.resize);
  writer->AddF32Array("fastvlm.vision.image_mean", config.image_mean);
  writer->AddF32Array("fastvlm.vision.image_std", config.image_std);
  writer->AddI32("fastvlm.image_token_id", config.image_token_id);
}

// Streams one tensor after the other through two buffers.
class TensorConverter {
 public:
  static Result<TensorConverter> Create(const Checkpoint& checkpoint, const Equalizer& equalizer,
                                        Packing packing, GgufWriter* writer,
                                        const ConvertProgress& progress) {
    TensorConverter converter(checkpoint, equalizer, packing, writer, progress);
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

  // Converts `tensor`, whose values are rounded to `type`.
  Status Run(const PlannedTensor& tensor, DType type) {
    if (!tensor.source.empty()) {
      const SafetensorsTensor& source = *checkpoint_.weights.Find(tensor.source);
      const uint64_t row = RowElements(tensor.shape);
      return Stream(tensor, type, [&](uint64_t first, size_t rows) {
        return checkpoint_.weights.ReadF32(source, first * row, rows * row, values_.data());
      });
    }
    TVLM_ASSIGN_OR_RETURN(FoldedConv conv,
                          FoldedConv::Create(checkpoint_.weights, tensor.branches, tensor.kernel));
    if (tensor.shape != tensor.kernel) {
      return Stream(tensor, type, [&](uint64_t, size_t) {
        std::transform(conv.bias().begin(), conv.bias().end(), values_.data(),
                       [](double value) { return static_cast<float>(value); });
        return Status();
      });
    }
    return Stream(tensor, type, [&](uint64_t first, size_t rows) {
      return conv.ReadKernels(first, rows, values_.data());
    });
  }

 private:
  TensorConverter(const Checkpoint& checkpoint, const Equalizer& equalizer, Packing packing,
                  GgufWriter* writer, const ConvertProgress& progress)
      : checkpoint_(checkpoint),
        equalizer_(equalizer),
        packing_(packing),
        writer_(*writer),
        progress_(progress) {
    for (const TensorInfo& info : writer_.tensors()) total_ += info.bytes;
  }

  // Elements that stay together: a row of a matrix, a channel of a kernel, the whole of a vector.
  static uint64_t RowElements(const Shape& shape) {
    return shape.size() == 1 ? shape[0] : *ElementCount(shape) / shape[0];
  }

  // Rows that are written at once, or in multiples of which: packing permutes the rows of a panel,
  // and a whole kernel.
  uint64_t RowsTogether(const PlannedTensor& tensor) const {
    if (packing_ == Packing::kNone || tensor.role == TensorRole::kVector) return 1;
    return tensor.role == TensorRole::kKernel ? tensor.shape[0] : kPanelRows;
  }

  // Values as they were read -> the bytes of the file, in bytes_. Returns how many.
  size_t Encode(const PlannedTensor& tensor, DType type, size_t rows, size_t row) {
    const size_t count = rows * row;
    QuantizeRow(type, values_.data(), count, bytes_.data());
    if (packing_ == Packing::kPanel16 && tensor.role == TensorRole::kKernel) {
      // The values are those that a file in its own order holds, bit by bit.
      DequantizeRow(type, bytes_.data(), count, values_.data());
      const size_t cin = static_cast<size_t>(tensor.shape[1]);
      PackKernel(values_.data(), rows, cin, row / cin, reinterpret_cast<float*>(bytes_.data()));
      return count * sizeof(float);
    }
    if (packing_ == Packing::kPanel16 && tensor.role != TensorRole::kVector)
      PackInPlace(type, rows, row, bytes_.data(), reinterpret_cast<uint8_t*>(values_.data()));
    return RowBytes(type, count);
  }

  // Writes a tensor in ranges of rows; `read`(first row, rows) puts the values of a range into
  // values_.
  template <typename Read>
  Status Stream(const PlannedTensor& tensor, DType type, const Read& read) {
    const uint64_t row = RowElements(tensor.shape), rows = *ElementCount(tensor.shape) / row;
    const uint64_t together = RowsTogether(tensor),
                   rows_at_once = std::max<uint64_t>(1, kPieceElements / row / together) * together;
    for (uint64_t r = 0; r < rows; r += rows_at_once) {
      const size_t take = static_cast<size_t>(std::min(rows_at_once, rows - r)),
                   count = take * static_cast<size_t>(row);
      TVLM_RETURN_IF_ERROR(read(r, take));
      equalizer_.Apply(tensor.name, r, take, static_cast<size_t>(row), values_.data());
      TVLM_RETURN_IF_ERROR(CheckValues(tensor, type, r * row, count));
      const size_t bytes = Encode(tensor, type, take, static_cast<size_t>(row));
      TVLM_RETURN_IF_ERROR(writer_.Append(bytes_.data(), bytes));
      done_ += bytes;
      if (progress_) progress_(done_, total_);
    }
    return Status();
  }

  // What a tensor is called in the checkpoint, where it is one there.
  const std::string& SourceName(const PlannedTensor& tensor) const {
    const bool plain = tensor.source.empty() && tensor.branches.size() == 1 &&
                       tensor.branches[0].norm.empty() && tensor.shape == tensor.kernel;
    const SafetensorsTensor* const source =
        checkpoint_.weights.Find(plain ? tensor.branches[0].kernel : tensor.source);
    return source == nullptr ? tensor.name : source->name_in_file;
  }

  Status CheckValues(const PlannedTensor& tensor, DType type, uint64_t first, size_t count) const {
    const float limit = Overflow(type);
    for (size_t i = 0; i < count; ++i) {
      const float value = values_[i];
      if (std::fabs(value) < limit) continue;  // false for NaN
      const unsigned long long at = first + i;
      if (!std::isfinite(value)) {
        return Error(ErrorCode::kInvalidFile,
                     "tensor %s: finite weights wanted, %g found at element %llu",
                     SourceName(tensor).c_str(), static_cast<double>(value), at);
      }
      return Error(ErrorCode::kUnsupported,
                   "tensor %s: the value %g at element %llu is too large for %s; convert it to f32",
                   SourceName(tensor).c_str(), static_cast<double>(value), at,
                   GetDTypeInfo(type).name);
    }
    return Status();
  }

  const Checkpoint& checkpoint_;
  const Equalizer& equalizer_;
  const Packing packing_;
  GgufWriter& writer_;
  const ConvertProgress& progress_;
  AlignedBuffer<float> values_;
  AlignedBuffer<uint8_t> bytes_;
  uint64_t done_ = 0, total_ = 0;
};

}  // namespace

Result<DType> ParseConvertType(std::string_view word) {
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0}) {
    if (word == GetDTypeInfo(type).name) return type;
  }
  return Error(ErrorCode::kInvalidArgument,
               "a type of f32, f16, bf16, q8_0, q5_0 or q4_0 wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Status Convert(const ConvertOptions& options, const ConvertProgress& progress) {
  if (options.output.ends_with(".safetensors") || options.output.ends_with(".json")) {
    return Error(
        ErrorCode::kInvalidArgument,
        "%s: the name of a .gguf file to write wanted, that of a part of a checkpoint found",
        options.output.c_str());
  }
  if (options.image_size % kImageSizeStep != 0 || options.image_size > kMaxImageSize) {
    return Error(ErrorCode::kInvalidArgument,
                 "an image size that is a multiple of %u up to %u wanted, %u found", kImageSizeStep,
                 kMaxImageSize, options.image_size);
  }
  if (!options.resize.empty() && options.resize != "pad" && options.resize != "crop") {
    return Error(ErrorCode::kInvalidArgument,
                 "a way to resize, \"pad\" or \"crop\", wanted, \"%s\" found",
                 options.resize.c_str());
  }
  std::vector<std::string> warnings;
  const Result<Checkpoint> opened = OpenCheckpoint(options.checkpoint, &warnings);
  if (options.warn) std::for_each(warnings.begin(), warnings.end(), options.warn);
  if (!opened.ok()) return opened.status();
  const Checkpoint& checkpoint = *opened;
  GgufWriter writer;
  AddModelKeys(checkpoint, options, &writer);
  std::vector<int32_t> stop_ids = checkpoint.config.stop_ids;
  if (options.tokenizer) {
    TVLM_ASSIGN_OR_RETURN(const CheckpointTokenizer tokenizer,
                          ReadCheckpointTokenizer(options.checkpoint, checkpoint.config.vocabulary,
                                                  options.chat_style));
    AddTokenizerKeys(tokenizer, &writer);
    for (const int32_t id : tokenizer.end_ids) {
      if (std::find(stop_ids.begin(), stop_ids.end(), id) == stop_ids.end()) stop_ids.push_back(id);
    }
  }
  writer.AddI32Array("tinyvlm.stop_ids", stop_ids);
  for (const PlannedTensor& tensor : checkpoint.tensors)
    TVLM_RETURN_IF_ERROR(writer.AddTensor(tensor.name, StoredType(tensor, options), tensor.shape));

  Equalizer equalizer;
  if (GetDTypeInfo(options.type).block_elements > 1) {
    TVLM_ASSIGN_OR_RETURN(equalizer, Equalizer::Create(checkpoint));
  }
  TVLM_RETURN_IF_ERROR(writer.Begin(options.output));
  TVLM_ASSIGN_OR_RETURN(
      TensorConverter converter,
      TensorConverter::Create(checkpoint, equalizer, options.packing, &writer, progress));
  for (const PlannedTensor& tensor : checkpoint.tensors)
    TVLM_RETURN_IF_ERROR(converter.Run(tensor, ValueType(tensor, options)));
  return writer.Finish();
}

}  // namespace tinyvlm
