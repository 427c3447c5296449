// What people also have on their disks: other models, other exports of FastVLM, parts of a
// checkpoint. Each is named, with what to get instead.
#ifndef TINYVLM_CONVERT_FOREIGN_CHECKPOINT_H_
#define TINYVLM_CONVERT_FOREIGN_CHECKPOINT_H_

#include <string>

#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// OK where `path` is a folder with FastVLM's config.json and safetensors beside it. Otherwise says
// what it is: kNotFound where it is nothing, kUnsupported for another model or another export (MLX,
// Core ML, ONNX, PyTorch pickles, GGUF, 4-bit ones), kInvalidArgument for a file of a checkpoint.
Status RefuseForeignFolder(const std::string& path);

// The same by the tensors' names: kUnsupported for exports whose config.json looks like the
// original's.
Status RefuseForeignTensors(const Safetensors& weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_FOREIGN_CHECKPOINT_H_
