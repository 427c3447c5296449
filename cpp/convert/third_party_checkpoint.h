// Recognises what is not a FastVLM checkpoint folder: other models, other exports of FastVLM, parts
// of a checkpoint. The error says what it is, and what to get instead.
#ifndef TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
#define TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_

#include <string>

#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// OK if `path` is a folder. Otherwise the error says what it is: kNotFound if there is nothing,
// kUnsupported for an export that is one file, kInvalidArgument for one file of a checkpoint.
Status RejectThirdPartyPath(const std::string& path);

// OK if these are a checkpoint's files with FastVLM's config.json, which must be supplied where
// there is one, and safetensors. Otherwise the error says what they are: kNotFound where nothing
// tells, kUnsupported for another model or another export (MLX, Core ML, ONNX, PyTorch pickles,
// GGUF, 4-bit checkpoints).
Status RejectThirdPartyFiles(const CheckpointSource& source);

// The same by names of tensors: kUnsupported for exports whose config.json looks like the original.
Status RejectThirdPartyTensors(const Safetensors& weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
