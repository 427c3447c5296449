// A checkpoint as a list of our tensors, in the order of our file, each with what it is made of:
// the one table of names and shapes.
#ifndef TINYVLM_CONVERT_CHECKPOINT_H_
#define TINYVLM_CONVERT_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_config.h"
#include "convert/fold.h"
#include "formats/safetensors.h"
#include "tensor/shape.h"

namespace tinyvlm {

// What decides a tensor's type in the file.
enum class TensorRole {
  kVector,        // biases, norms, layer scales
  kKernel,        // depthwise kernels and the two 3x3 stem kernels
  kVisionMatrix,  // of tower and projector
  kEmbedding,     // and the head
  kDecoderMatrix,
};

// A tensor of our file: either one of the checkpoint as it is, or the kernels or biases of a sum of
// branches.
struct PlannedTensor {
  std::string name;
  Shape shape;
  TensorRole role;
  std::string source;  // in the checkpoint; empty: made of `branches`
  std::vector<ConvBranch> branches;
  // of the sum of the branches; `shape` itself unless it is their bias
  Shape kernel;
};

// One stage of the tower, as its tensors show it.
struct TowerStage {
  uint32_t depth = 0;  // blocks
  uint32_t channels = 0;
  uint32_t hidden = 0;  // width of ConvFFN
  // AttentionBlock with a positional encoding before it, rather than RepMixerBlock
  bool attention = false;
};

struct Checkpoint {
  CheckpointConfig config;
  Safetensors weights;
  std::vector<TowerStage> stages;
  uint32_t se_dim = 0;      // width of the squeeze-excite bottleneck
  uint32_t image_size = 0;  // what the configs say, else 1024
  // in order of execution: tower, projector, embedding, decoder, head
  std::vector<PlannedTensor> tensors;
};

// Opens a FastVLM folder of either layout, in inference form, training form or a mixture, and finds
// every tensor. The tower's sizes come from names and shapes; config.json, where it describes them
// too, must agree. Errors: kNotFound names what is missing, kInvalidFile gives both shapes or
// numbers, kUnsupported names a tensor that no such FastVLM has, or says which other model this is.
Result<Checkpoint> OpenCheckpoint(const std::string& folder);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_H_
