#include "decoder/qwen2_config.h"

#include <cmath>

namespace tinyvlm {

namespace {

// Bounds far above any decoder in use; they keep later products of sizes small.
constexpr uint32_t kMaxWidth = 65536, kMaxLayers = 512, kMaxHeads = 1024, kMaxFfn = 262144, kMaxVocabulary = 4'000'000;

Result<uint32_t> ReadBounded(const Metadata& meta, const char* key, uint32_t max) {
  TVLM_ASSIGN_OR_RETURN(const uint32_t value, meta.GetU32(key));
  if (value == 0 || value > max) return Error(ErrorCode::kInvalidFile, "%s: 1..%u wanted, %u found", key, max, value);
  return value;
}

}  // namespace

Result<Qwen2Config> ReadQwen2Config(const GgufFile& file) {
  const Metadata& meta = file.metadata;
  Qwen2Config config;
  TVLM_ASSIGN_OR_RETURN(config.width, ReadBounded(meta, "qwen2.embedding_length", kMaxWidth));
  TVLM_ASSIGN_OR_RETURN(config.layers, ReadBounded(meta, "qwen2.block_count", kMaxLayers));
  TVLM_ASSIGN_OR_RETURN(config.heads, ReadBounded(meta, "qwen2.attention.head_count", kMaxHeads));
  TVLM_ASSIGN_OR_RETURN(config.kv_heads, ReadBounded(meta, "qwen2.attention.head_count_kv", kMaxHeads));
  TVLM_ASSIGN_OR_RETURN(config.ffn, ReadBounded(meta, "qwen2.feed_forward_length", kMaxFfn));
  TVLM_ASSIGN_OR_RETURN(config.max_positions, ReadBounded(meta, "qwen2.context_length", 16'777'216));
  TVLM_ASSIGN_OR_RETURN(const float epsilon, meta.GetF32("qwen2.attention.layer_norm_rms_epsilon"));
  TVLM_ASSIGN_OR_RETURN(const float theta, meta.GetF32("qwen2.rope.freq_base"));
  if (!(epsilon > 0.0f && epsilon < 1.0f)) {
    return Error(ErrorCode::kInvalidFile, "qwen2.attention.layer_norm_rms_epsilon: between 0 and 1 wanted, %g found", static_cast<double>(epsilon));
  }
  if (!(theta >= 1.0f) || !std::isfinite(theta)) {
    return Error(ErrorCode::kInvalidFile, "qwen2.rope.freq_base: at least 1 wanted, %g found", static_cast<double>(theta));
  }
  if (config.width % config.heads != 0 || config.heads % config.kv_heads != 0 || config.width / config.heads % 2 != 0) {
    return Error(ErrorCode::kInvalidFile, "qwen2: %zu heads and %zu kv heads do not divide a width of %zu into heads of even size", config.heads, config.kv_heads,
                 config.width);
  }
  config.head_dim = config.width / config.heads;
  config.rms_epsilon = epsilon;
  config.rope_theta = theta;
  const TensorInfo* embedding = file.Find("token_embd.weight");
  if (embedding == nullptr) return Error(ErrorCode::kNotFound, "tensor token_embd.weight is missing from the model file");
  if (embedding->shape.size() != 2 || embedding->shape[0] == 0 || embedding->shape[0] > kMaxVocabulary || embedding->shape[1] != config.width) {
    return Error(ErrorCode::kInvalidFile, "tensor token_embd.weight: shape [1..%u, %zu] wanted, %s found", kMaxVocabulary, config.width,
                 ShapeToString(embedding->shape).c_str());
  }
  config.vocabulary = static_cast<size_t>(embedding->shape[0]);
  return config;
}

}  // namespace tinyvlm
