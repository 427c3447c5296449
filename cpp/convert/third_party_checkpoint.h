// Recognises what is not a FastVLM checkpoint folder: other models, other exports of FastVLM, parts
// of a checkpoint. The error says what it is, and what to get instead.
#ifndef TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
#define TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_

#include <string>

#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// OK if `path` is a folder with FastVLM's config.json and safetensors. Otherwise the error says
// what it is: kNotFound if there is nothing, kUnsupported for another model or another export (MLX,
// Core ML, ONNX, PyTorch pickles, GGUF, 4-bit checkpoints), kInvalidArgument for one file of a
// checkpoint.
Status RejectThirdPartyFolder(const std::string& path);

// The same by names of tensors: kUnsupported for exports whose config.json looks like the original.
Status RejectThirdPartyTensors(const Safetensors& weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
