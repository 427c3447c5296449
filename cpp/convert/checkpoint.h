// A checkpoint as a list of the tensors of a model file, in order, each with its sources in the
// checkpoint: the one table of names and shapes.
#ifndef TINYVLM_CONVERT_CHECKPOINT_H_
#define TINYVLM_CONVERT_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_config.h"
#include "convert/checkpoint_source.h"
#include "convert/fold.h"
#include "formats/safetensors.h"
#include "tensor/shape.h"

namespace tinyvlm {

// Names in the model file of the embedding, and of a head of its own.
inline constexpr const char* kEmbeddingName = "token_embd.weight";
inline constexpr const char* kHeadName = "output.weight";

// The role of a tensor, which decides its type in the model file.
enum class TensorRole {
  kVector,        // biases, norms, layer scales
  kKernel,        // depthwise kernels and the two 3x3 stem kernels
  kVisionMatrix,  // of tower and projector
  kEmbedding,     // and the head
  kDecoderMatrix,
};

// A tensor of the model file: either a copy of one of the checkpoint, or the kernels or biases of a
// sum of branches (convert/fold.h).
struct PlannedTensor {
  std::string name;  // in the model file
  Shape shape;       // in the model file
  TensorRole role;
  std::string source;  // canonical name; empty: folded from `branches`
  std::vector<ConvBranch> branches;
  Shape kernel;  // shape of the folded kernels; equals `shape` unless this is their bias
};

// One stage of the tower, by the names and shapes of its tensors.
struct TowerStage {
  uint32_t depth = 0;  // blocks
  uint32_t channels = 0;
  uint32_t hidden = 0;     // hidden width of ConvFFN
  bool attention = false;  // AttentionBlocks behind a positional encoding; else RepMixerBlocks
};

// A checkpoint whose tensors are all found.
struct Checkpoint {
  CheckpointConfig config;
  Safetensors weights;  // under canonical names (convert/canonical_names.h)
  std::vector<TowerStage> stages;
  uint32_t se_dim = 0;      // width of the squeeze-excite bottleneck
  uint32_t image_size = 0;  // edge length of the input image, from the configs, else 1024
  // In order of execution: tower, projector, embedding, decoder, head.
  std::vector<PlannedTensor> tensors;
};

// Finds every tensor of a FastVLM, in inference form, training form or a mixture, by what
// FindCheckpointWeights gives and by the configs, which must be supplied. Of `weights` the headers
// are enough. The tower's sizes come from names and shapes; config.json must agree where it gives
// them. A head beside the embedding is the last tensor of the plan, equal to the embedding or not.
// Errors: kNotFound with what is missing, kInvalidFile with both shapes or numbers, kUnsupported
// with a tensor that FastVLM does not have, or with the name of another model. A sentence about a
// model_type that is not FastVLM's is appended to `warnings`.
Result<Checkpoint> PlanCheckpoint(const CheckpointSource& source, Safetensors weights,
                                  std::vector<std::string>* warnings);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_H_
