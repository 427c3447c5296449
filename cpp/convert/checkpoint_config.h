// The numbers of a checkpoint folder, transformers' or Apple's: config.json,
// preprocessor_config.json and generation_config.json, checked.
#ifndef TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
#define TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/vision_config.h"  // kMaxImageSize
#include "base/json.h"
#include "base/status.h"
#include "convert/checkpoint_names.h"

namespace tinyvlm {

struct CheckpointConfig {
  CheckpointLayout layout = CheckpointLayout::kTransformers;

  // What config.json says of the tower; the shapes of its tensors decide. Empty, 0: not said. Lists
  // may hold more entries than there are stages, `depths` may not.
  struct Tower {
    std::vector<uint32_t> depths;  // blocks of each stage
    std::vector<uint32_t> channels;
    std::vector<double> ratios;  // hidden width of ConvFFN / channels
    std::vector<bool> attention;
    uint32_t features = 0;       // width of what the projector gets
    bool no_positional = false;  // stages attend without positional encodings
  };
  Tower tower;
  uint32_t image_size = 0;          // side of the square image; 0: not said
  int64_t image_tokens = 0;         // of an image; 0: not said
  const char* resize_mode = "pad";  // or "crop": docs/model-file.md
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

// Bounds far above any model in use; the engine has the same.
inline constexpr uint32_t kMaxTowerStages = 8, kMaxTowerDepth = 256, kMaxTowerChannels = 16384,
                          kMaxTowerRatio = 16;

// Reads the configs of `folder`, which is known to be a FastVLM's (convert/foreign_checkpoint.h).
// kNotFound or kInvalidFile where a number is missing or impossible, kUnsupported where the
// checkpoint uses something that this engine does not do; the message names file and key.
Result<CheckpointConfig> ReadCheckpointConfig(const std::string& folder);

// A config file longer than this is none.
inline constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;

// Parses a JSON file of the checkpoint, an object of at most max_bytes; errors carry its name.
// `name` is relative to the folder.
Result<Json> ReadCheckpointJson(const std::string& folder, const std::string& name,
                                uint64_t max_bytes = kMaxConfigBytes);

// The same; no value where the file is absent.
Result<std::optional<Json>> ReadOptionalJson(const std::string& folder, const std::string& name,
                                             uint64_t max_bytes = kMaxConfigBytes);

// A word of a config as it can stand in a message: "?" for one that is long or has more than
// printable ASCII.
std::string Printable(const std::string& text);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
