// The numbers that describe a FastViTHD tower and its projector, read from a model file's metadata
// and checked.
#ifndef TINYVLM_BACKEND_VISION_CONFIG_H_
#define TINYVLM_BACKEND_VISION_CONFIG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

// Largest edge length of an input image, in pixels.
inline constexpr uint32_t kMaxImageSize = 4096;

// Bounds far above any tower in use; they keep later products of sizes small.
inline constexpr uint32_t kMaxTowerStages = 8, kMaxTowerDepth = 256, kMaxTowerChannels = 16384;

struct VisionConfig {
  struct Stage {
    size_t depth;  // blocks
    size_t channels;
    size_t hidden;  // width of ConvFFN
    // AttentionBlock rather than RepMixerBlock; such a stage begins with a conditional positional
    // encoding
    bool attention;
  };
  std::vector<Stage> stages;
  size_t head_dim = 32;
  size_t se_dim = 0;       // width of the squeeze-excite bottleneck
  size_t feature_dim = 0;  // channels of the tower's output: 2 x the last stage's
  size_t text_dim = 0;     // width of the decoder that the projector feeds
  size_t image_size = 0;   // edge length of the square image that the checkpoint expects, in pixels
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> std{1, 1, 1};

  // Input pixels per pixel of the output map, along each edge.
  size_t Reduction() const { return size_t{1} << (stages.size() + 1); }

  // Edge length of the output map for an input edge of n pixels: each stride-2 layer rounds up (two
  // in the stem, one in each stage but the first).
  size_t OutputSide(size_t n) const;
};

// Reads the `fastvlm.vision.*` keys (docs/model-file.md). text_dim is the decoder's width. Errors
// name the key: kNotFound, kInvalidFile.
Result<VisionConfig> ReadVisionConfig(const GgufFile& file, size_t text_dim);

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_VISION_CONFIG_H_
