#include "backend/vision_config.h"

#include <algorithm>
#include <cmath>

namespace tinyvlm {

size_t VisionConfig::OutputSide(size_t n) const {
  for (size_t halvings = stages.size() + 1; halvings > 0; --halvings) n = (n + 1) / 2;
  return n;
}

Result<VisionConfig> ReadVisionConfig(const GgufFile& file, size_t text_dim) {
  const Metadata& meta = file.metadata;
  VisionConfig config;
  TVLM_ASSIGN_OR_RETURN(const uint32_t image_size, meta.GetU32("fastvlm.vision.image_size"));
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> depths,
                        meta.GetI32Array("fastvlm.vision.depths"));
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> dims, meta.GetI32Array("fastvlm.vision.dims"));
  TVLM_ASSIGN_OR_RETURN(const std::vector<float> ratios,
                        meta.GetF32Array("fastvlm.vision.mlp_ratios"));
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> attention,
                        meta.GetI32Array("fastvlm.vision.attn_stages"));
  TVLM_ASSIGN_OR_RETURN(const uint32_t head_dim, meta.GetU32("fastvlm.vision.head_dim"));
  TVLM_ASSIGN_OR_RETURN(const uint32_t se_dim, meta.GetU32("fastvlm.vision.se_dim"));
  if (image_size == 0 || image_size > kMaxImageSize) {
    return Error(ErrorCode::kInvalidFile, "fastvlm.vision.image_size: 1..%u wanted, %u found",
                 kMaxImageSize, image_size);
  }
  if (depths.empty() || depths.size() > kMaxTowerStages || dims.size() != depths.size() ||
      ratios.size() != depths.size()) {
    return Error(ErrorCode::kInvalidFile,
                 "fastvlm.vision.depths, .dims and .mlp_ratios: 1..%u numbers each wanted, %zu, "
                 "%zu and %zu found",
                 kMaxTowerStages, depths.size(), dims.size(), ratios.size());
  }
  if (head_dim == 0 || head_dim > 256 || head_dim % 2 != 0) {
    return Error(ErrorCode::kInvalidFile,
                 "fastvlm.vision.head_dim: an even number up to 256 wanted, %u found", head_dim);
  }
  if (se_dim == 0 || se_dim > kMaxTowerChannels)
    return Error(ErrorCode::kInvalidFile, "fastvlm.vision.se_dim: 1..%u wanted, %u found",
                 kMaxTowerChannels, se_dim);
  for (size_t s = 0; s < depths.size(); ++s) {
    const bool is_attention =
        std::find(attention.begin(), attention.end(), static_cast<int32_t>(s)) != attention.end();
    if (depths[s] < 0 || depths[s] > static_cast<int32_t>(kMaxTowerDepth) || dims[s] <= 0 ||
        dims[s] > static_cast<int32_t>(kMaxTowerChannels)) {
      return Error(
          ErrorCode::kInvalidFile,
          "fastvlm.vision: stage %zu has depth %d and %d channels; up to %u and 1..%u wanted", s,
          depths[s], dims[s], kMaxTowerDepth, kMaxTowerChannels);
    }
    if (!(ratios[s] > 0.0f && ratios[s] <= 16.0f)) {
      return Error(ErrorCode::kInvalidFile,
                   "fastvlm.vision.mlp_ratios: stage %zu has %g; more than 0 and up to 16 wanted",
                   s, static_cast<double>(ratios[s]));
    }
    if (s > 0 && dims[s] % dims[s - 1] != 0) {
      return Error(
          ErrorCode::kInvalidFile,
          "fastvlm.vision.dims: stage %zu has %d channels, not a multiple of the %d before it", s,
          dims[s], dims[s - 1]);
    }
    if (is_attention && dims[s] % static_cast<int32_t>(head_dim) != 0) {
      return Error(ErrorCode::kInvalidFile,
                   "fastvlm.vision.dims: attention stage %zu has %d channels, not a multiple of "
                   "the head size %u",
                   s, dims[s], head_dim);
    }
    const double hidden = static_cast<double>(ratios[s]) * dims[s];
    config.stages.push_back({static_cast<size_t>(depths[s]), static_cast<size_t>(dims[s]),
                             static_cast<size_t>(hidden), is_attention});
  }
  config.head_dim = head_dim;
  config.se_dim = se_dim;
  config.feature_dim = config.stages.back().channels * 2;
  config.text_dim = text_dim;
  config.image_size = image_size;
  for (const char* key : {"fastvlm.vision.image_mean", "fastvlm.vision.image_std"}) {
    if (meta.Find(key) == nullptr) continue;
    TVLM_ASSIGN_OR_RETURN(const std::vector<float> values, meta.GetF32Array(key));
    auto& target =
        key[std::string_view("fastvlm.vision.image_").size()] == 'm' ? config.mean : config.std;
    if (values.size() != 3)
      return Error(ErrorCode::kInvalidFile, "%s: 3 numbers wanted, %zu found", key, values.size());
    for (size_t c = 0; c < 3; ++c) {
      if (!std::isfinite(values[c]) || (&target == &config.std && values[c] <= 0.0f)) {
        return Error(ErrorCode::kInvalidFile, "%s: value %g at %zu cannot be used", key,
                     static_cast<double>(values[c]), c);
      }
      target[c] = values[c];
    }
  }
  return config;
}

}  // namespace tinyvlm
