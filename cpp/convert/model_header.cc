#include "convert/model_header.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"

namespace tinyvlm {

namespace {

// Rows of quantised matrices are cut into blocks of this many.
constexpr uint64_t kBlock = 32;

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

// The type of a tensor in the file: a panel16 file holds everything but matrices as F32, which is
// what the kernels read.
DType StoredType(const PlannedTensor& tensor, const ConversionOptions& options) {
  const bool widened = options.packing == Packing::kPanel16 && tensor.role == TensorRole::kKernel;
  return widened ? DType::kF32 : ValueType(tensor, options);
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

void AddConfigKeys(const Checkpoint& checkpoint, const ConversionOptions& options,
                   GgufHeaderWriter* writer) {
  const CheckpointConfig& config = checkpoint.config;
  writer->AddString("general.architecture", "fastvlm");
  writer->AddString("general.name", FolderName(options.name));
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

}  // namespace

DType ValueType(const PlannedTensor& tensor, const ConversionOptions& options) {
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

void AddModelKeys(const Checkpoint& checkpoint, const ConversionOptions& options,
                  const CheckpointTokenizer* tokenizer, GgufHeaderWriter* header) {
  AddConfigKeys(checkpoint, options, header);
  std::vector<int32_t> stop_ids = checkpoint.config.stop_ids;
  if (tokenizer != nullptr) {
    AddTokenizerKeys(*tokenizer, header);
    for (const int32_t id : tokenizer->end_ids) {
      if (std::find(stop_ids.begin(), stop_ids.end(), id) == stop_ids.end()) stop_ids.push_back(id);
    }
  }
  header->AddI32Array("tinyvlm.stop_ids", stop_ids);
}

Status AddModelTensor(const PlannedTensor& tensor, const ConversionOptions& options,
                      GgufHeaderWriter* header) {
  return header->AddTensor(tensor.name, StoredType(tensor, options), tensor.shape);
}

}  // namespace tinyvlm
