// A checkpoint as a list of our tensors, in the order of our file, each with where it comes from: the one table of names and shapes.
#ifndef TINYVLM_CONVERT_CHECKPOINT_H_
#define TINYVLM_CONVERT_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_config.h"
#include "formats/safetensors.h"
#include "tensor/shape.h"

namespace tinyvlm {

// What decides a tensor's type in the file.
enum class TensorRole {
  kVector,         // biases, norms, layer scales
  kKernel,         // depthwise kernels and the two 3x3 stem kernels
  kMatrix,         // of tower and projector, the embedding, the head
  kDecoderMatrix,
};

struct PlannedTensor {
  std::string name;          // in our file
  Shape shape;               // in our file
  TensorRole role;
  std::string source;        // in the checkpoint
  std::string batch_norm;    // prefix of the BatchNorm that is folded into it; empty: none
  bool is_folded_bias = false;  // the shift of that BatchNorm; `source` is then not used
};

struct Checkpoint {
  CheckpointConfig config;
  Safetensors weights;
  uint32_t se_dim = 0;                 // width of the squeeze-excite bottleneck, from its tensors
  std::vector<PlannedTensor> tensors;  // in order of execution: tower, projector, embedding, decoder, head
};

// Opens transformers' FastVLM folder and finds every tensor. Errors: kNotFound names what is missing, kInvalidFile gives both shapes, kUnsupported names
// a tensor that no FastVLM of this configuration has.
Result<Checkpoint> OpenCheckpoint(const std::string& folder);

// The tensor `name`, whose shape must hold the same numbers as `shape` (dimensions of 1 do not count, so a 1x1 kernel is a matrix).
Result<const SafetensorsTensor*> FindTensor(const Safetensors& weights, const std::string& name, const Shape& shape);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_H_
