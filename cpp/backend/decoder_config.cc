#include "backend/decoder_config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace tinyvlm {

namespace {

// The values that llama.cpp's loader assumes for absent keys.
constexpr float kDefaultTheta = 10000.0f;
constexpr const char* kDefaultScaling = "linear";

// Keys that are read, keys that CheckComputation checks, and keys that change no result.
constexpr std::string_view kKnownKeys[] = {"block_count",
                                           "context_length",
                                           "embedding_length",
                                           "feed_forward_length",
                                           "vocab_size",
                                           "tensor_data_layout",
                                           "pooling_type",
                                           "attention.head_count",
                                           "attention.head_count_kv",
                                           "attention.key_length",
                                           "attention.value_length",
                                           "attention.layer_norm_rms_epsilon",
                                           "attention.sliding_window",
                                           "attention.causal",
                                           "expert_count",
                                           "expert_used_count",
                                           "rope.freq_base",
                                           "rope.dimension_count",
                                           "rope.scale_linear",
                                           "rope.scaling.type",
                                           "rope.scaling.factor",
                                           "rope.scaling.attn_factor",
                                           "rope.scaling.original_context_length",
                                           "rope.scaling.finetuned"};

// Reads the keys of one decoder, which share a prefix.
class ConfigReader {
 public:
  ConfigReader(const Metadata& meta, const char* prefix) : meta_(meta), prefix_(prefix) {}

  bool Has(const char* name) const { return meta_.Find(prefix_ + name) != nullptr; }
  std::string Key(const char* name) const { return prefix_ + name; }

  Result<uint32_t> GetBounded(const char* name, uint32_t max) const {
    TVLM_ASSIGN_OR_RETURN(const uint32_t value, meta_.GetU32(Key(name)));
    if (value == 0 || value > max)
      return Error(ErrorCode::kInvalidFile, "%s: 1..%u wanted, %u found", Key(name).c_str(), max,
                   value);
    return value;
  }
  Result<float> GetF32(const char* name) const { return meta_.GetF32(Key(name)); }
  Result<float> GetF32(const char* name, float absent) const {
    return Has(name) ? GetF32(name) : Result<float>(absent);
  }

  // An error unless the key is absent or `wanted`.
  Status RequireU32(const char* name, uint32_t wanted, const char* otherwise) const {
    if (!Has(name)) return Status();
    TVLM_ASSIGN_OR_RETURN(const uint32_t value, meta_.GetU32(Key(name)));
    if (value == wanted) return Status();
    return Error(ErrorCode::kUnsupported, "%s: %u wanted, %u found: this engine does not run %s",
                 Key(name).c_str(), wanted, value, otherwise);
  }

  // A key that changes what the model computes, in a way that this engine does not implement, is
  // rejected with a specific error; so are unknown keys.
  Status CheckComputation(const DecoderConfig& config) const {
    const uint32_t head_dim = static_cast<uint32_t>(config.head_dim);
    TVLM_RETURN_IF_ERROR(
        RequireU32("rope.dimension_count", head_dim, "RoPE over a part of each head"));
    TVLM_RETURN_IF_ERROR(RequireU32("attention.key_length", head_dim,
                                    "heads whose size is not the width divided by their number"));
    TVLM_RETURN_IF_ERROR(RequireU32("attention.value_length", head_dim,
                                    "heads whose size is not the width divided by their number"));
    TVLM_RETURN_IF_ERROR(RequireU32("expert_count", 0, "mixtures of experts"));
    TVLM_RETURN_IF_ERROR(RequireU32("expert_used_count", 0, "mixtures of experts"));
    TVLM_RETURN_IF_ERROR(RequireU32("pooling_type", 0, "embedding models"));
    if (Has("attention.sliding_window")) {
      TVLM_ASSIGN_OR_RETURN(const uint32_t window, meta_.GetU32(Key("attention.sliding_window")));
      if (window != 0 && window < config.max_positions) {  // a wider one never hides a row
        return Error(ErrorCode::kUnsupported,
                     "%s: 0 wanted, %u found: this engine does not run sliding-window attention",
                     Key("attention.sliding_window").c_str(), window);
      }
    }
    if (Has("attention.causal")) {
      TVLM_ASSIGN_OR_RETURN(const bool causal, meta_.GetBool(Key("attention.causal")));
      if (!causal)
        return Error(ErrorCode::kUnsupported,
                     "%s: true wanted, false found: this engine does not run encoders",
                     Key("attention.causal").c_str());
    }
    if (Has("tensor_data_layout")) {
      TVLM_ASSIGN_OR_RETURN(const std::string layout, meta_.GetString(Key("tensor_data_layout")));
      if (layout != "Meta AI original pth") {
        return Error(ErrorCode::kUnsupported,
                     "%s: \"Meta AI original pth\" or nothing wanted, \"%s\" found",
                     Key("tensor_data_layout").c_str(), layout.c_str());
      }
    }
    TVLM_RETURN_IF_ERROR(CheckRopeScaling());
    for (const Metadata::Entry& entry : meta_.entries()) {
      if (!entry.key.starts_with(prefix_)) continue;
      const std::string_view name = entry.key.substr(prefix_.size());
      if (std::find(std::begin(kKnownKeys), std::end(kKnownKeys), name) != std::end(kKnownKeys))
        continue;
      return Error(
          ErrorCode::kUnsupported,
          "%.*s: this engine does not know the key, which may change what the model computes",
          static_cast<int>(entry.key.size()), entry.key.data());
    }
    return Status();
  }

 private:
  Status CheckRopeScaling() const {
    std::string type = kDefaultScaling;
    if (Has("rope.scaling.type")) {
      TVLM_ASSIGN_OR_RETURN(type, meta_.GetString(Key("rope.scaling.type")));
    }
    // the older name of the factor
    TVLM_ASSIGN_OR_RETURN(const float linear, GetF32("rope.scale_linear", 1.0f));
    TVLM_ASSIGN_OR_RETURN(const float factor, GetF32("rope.scaling.factor", linear));
    TVLM_ASSIGN_OR_RETURN(const float attention, GetF32("rope.scaling.attn_factor", 1.0f));
    // A factor of 0 stands for none.
    if (attention == 1.0f &&
        (type == "none" || (type == "linear" && (factor == 1.0f || factor == 0.0f))))
      return Status();
    return Error(
        ErrorCode::kUnsupported,
        "%s: RoPE without scaling wanted, \"%s\" with factor %g and attention factor %g found",
        Key("rope.scaling.type").c_str(), type.c_str(), static_cast<double>(factor),
        static_cast<double>(attention));
  }

  const Metadata& meta_;
  const std::string prefix_;
};

}  // namespace

Result<DecoderConfig> ReadDecoderConfig(const GgufFile& file, const std::string& architecture) {
  const bool llama = architecture == "llama";
  const ConfigReader reader(file.metadata, llama ? "llama." : "qwen2.");
  DecoderConfig config;
  config.qkv_bias = !llama;
  config.interleaved_rope = llama;
  TVLM_ASSIGN_OR_RETURN(config.width, reader.GetBounded("embedding_length", kMaxDecoderWidth));
  TVLM_ASSIGN_OR_RETURN(config.layers, reader.GetBounded("block_count", kMaxDecoderLayers));
  TVLM_ASSIGN_OR_RETURN(config.heads, reader.GetBounded("attention.head_count", kMaxDecoderHeads));
  config.kv_heads = config.heads;
  if (reader.Has("attention.head_count_kv")) {
    TVLM_ASSIGN_OR_RETURN(config.kv_heads,
                          reader.GetBounded("attention.head_count_kv", kMaxDecoderHeads));
  }
  TVLM_ASSIGN_OR_RETURN(config.ffn, reader.GetBounded("feed_forward_length", kMaxDecoderFfn));
  TVLM_ASSIGN_OR_RETURN(config.max_positions,
                        reader.GetBounded("context_length", kMaxDecoderPositions));
  TVLM_ASSIGN_OR_RETURN(const float epsilon, reader.GetF32("attention.layer_norm_rms_epsilon"));
  TVLM_ASSIGN_OR_RETURN(const float theta, architecture == "fastvlm"
                                               ? reader.GetF32("rope.freq_base")
                                               : reader.GetF32("rope.freq_base", kDefaultTheta));
  if (!(epsilon > 0.0f && epsilon < 1.0f)) {
    return Error(ErrorCode::kInvalidFile, "%s: between 0 and 1 wanted, %g found",
                 reader.Key("attention.layer_norm_rms_epsilon").c_str(),
                 static_cast<double>(epsilon));
  }
  if (!(theta >= 1.0f) || !std::isfinite(theta)) {
    return Error(ErrorCode::kInvalidFile, "%s: at least 1 wanted, %g found",
                 reader.Key("rope.freq_base").c_str(), static_cast<double>(theta));
  }
  if (config.width % config.heads != 0 || config.heads % config.kv_heads != 0 ||
      config.width / config.heads % 2 != 0) {
    return Error(
        ErrorCode::kInvalidFile,
        "%s: %zu heads and %zu kv heads do not divide a width of %zu into heads of even size",
        reader.Key("attention.head_count").c_str(), config.heads, config.kv_heads, config.width);
  }
  config.head_dim = config.width / config.heads;
  config.rms_epsilon = epsilon;
  config.rope_theta = theta;
  TVLM_RETURN_IF_ERROR(reader.CheckComputation(config));
  const TensorInfo* embedding = file.Find("token_embd.weight");
  if (embedding == nullptr)
    return Error(ErrorCode::kNotFound, "tensor token_embd.weight is missing from the model file");
  if (embedding->shape.size() != 2 || embedding->shape[0] == 0 ||
      embedding->shape[0] > kMaxDecoderVocabulary || embedding->shape[1] != config.width) {
    return Error(ErrorCode::kInvalidFile,
                 "tensor token_embd.weight: shape [1..%u, %zu] wanted, %s found",
                 kMaxDecoderVocabulary, config.width, ShapeToString(embedding->shape).c_str());
  }
  config.vocabulary = static_cast<size_t>(embedding->shape[0]);
  return config;
}

}  // namespace tinyvlm
