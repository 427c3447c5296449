// The numbers of a checkpoint folder: config.json, preprocessor_config.json and generation_config.json of transformers' FastVLM, checked.
#ifndef TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
#define TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace tinyvlm {

struct CheckpointConfig {
  struct Stage {
    uint32_t depth;     // blocks
    uint32_t channels;
    uint32_t hidden;    // width of ConvFFN
    bool attention;     // AttentionBlock with a positional encoding before it, rather than RepMixerBlock
  };

  // Tower.
  std::vector<Stage> stages;
  uint32_t image_size = 0;
  std::array<float, 3> image_mean{0, 0, 0};
  std::array<float, 3> image_std{1, 1, 1};

  // Decoder.
  uint32_t width = 0;
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t ffn = 0;
  uint32_t vocabulary = 0;
  uint32_t max_positions = 0;
  float rms_epsilon = 0;
  float rope_theta = 0;
  bool tied = false;  // the head is the embedding

  int32_t image_token_id = -1;    // -1: the vocabulary has none
  std::vector<int32_t> stop_ids;  // as the configs name them
};

// Size of a head of the tower's attention: fixed in this architecture.
inline constexpr uint32_t kTowerHeadDim = 32;

// Reads the configs of `folder`. kNotFound or kInvalidFile where a number is missing or impossible, kUnsupported where the checkpoint is of another kind
// or uses something that this engine does not do; the message names file and key.
Result<CheckpointConfig> ReadCheckpointConfig(const std::string& folder);

// Parses a JSON file of the checkpoint; errors carry its name. `name` is relative to the folder.
Result<Json> ReadCheckpointJson(const std::string& folder, const std::string& name);

// The same; no value where the file is absent.
Result<std::optional<Json>> ReadOptionalJson(const std::string& folder, const std::string& name);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
