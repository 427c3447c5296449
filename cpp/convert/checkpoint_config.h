// The numbers of a checkpoint in transformers' or Apple's layout: config.json,
// preprocessor_config.json and generation_config.json, checked.
#ifndef TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
#define TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/vision_config.h"  // kMaxImageSize and kMaxTower*
#include "base/status.h"
#include "convert/checkpoint_names.h"
#include "convert/checkpoint_source.h"

namespace tinyvlm {

// All numbers of a checkpoint that its tensors do not show.
struct CheckpointConfig {
  CheckpointLayout layout = CheckpointLayout::kTransformers;  // of config.json

  // The tower as config.json describes it; the shapes of its tensors take precedence. Empty or 0:
  // not given. Lists may hold more entries than there are stages, except `depths`.
  struct Tower {
    std::vector<uint32_t> depths;    // blocks of each stage
    std::vector<uint32_t> channels;  // of each stage
    std::vector<double> ratios;      // hidden width of ConvFFN / channels, of each stage
    std::vector<bool> attention;     // whether a stage has attention
    uint32_t features = 0;           // channels of the tower's output
    bool no_positional = false;      // attention stages have no positional encodings
  };
  Tower tower;
  uint32_t image_size = 0;                   // edge length of the square input image; 0: not given
  int64_t image_tokens = 0;                  // tokens of an image; 0: not given
  const char* resize_mode = "pad";           // or "crop": docs/model-file.md
  std::array<float, 3> image_mean{0, 0, 0};  // R, G, B; input = (value / 255 - mean) / std
  std::array<float, 3> image_std{1, 1, 1};

  // Decoder.
  uint32_t width = 0;  // hidden size
  uint32_t layers = 0;
  uint32_t heads = 0;          // query heads
  uint32_t kv_heads = 0;       // key and value heads
  uint32_t ffn = 0;            // hidden width of the FFN
  uint32_t vocabulary = 0;     // rows of the embedding
  uint32_t max_positions = 0;  // tokens of the longest context
  float rms_epsilon = 0;
  float rope_theta = 0;
  bool tied = false;  // the embedding is the output head, too

  int32_t image_token_id = -1;  // -1: the vocabulary has none
  std::vector<int32_t>
      stop_ids;  // ids that end an answer, by generation_config.json or config.json
};

// Size of a head of the tower's attention: fixed in this architecture.
inline constexpr uint32_t kTowerHeadDim = 32;

// The largest hidden width of ConvFFN per channel, far above any tower in use.
inline constexpr uint32_t kMaxTowerRatio = 16;

// The files that it is read from, where a checkpoint has them.
inline constexpr const char* kCheckpointConfigFiles[] = {
    "config.json", "preprocessor_config.json", "processor_config.json", "generation_config.json"};

// Reads the configs of a checkpoint that is known to be a FastVLM's by its tensors. Their layout is
// seen from their keys; model_type is not read.
// kNotFound or kInvalidFile if a number is missing or impossible, kUnsupported if the checkpoint
// uses a feature that this engine lacks; the message names file and key.
Result<CheckpointConfig> ReadCheckpointConfig(const CheckpointSource& source);

// A word of a config for an error message: "?" if it is longer than 100 bytes or has more than
// printable ASCII.
std::string Printable(const std::string& text);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_CONFIG_H_
