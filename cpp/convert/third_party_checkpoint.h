// Recognises what is not a FastVLM checkpoint folder: other models, other exports of FastVLM, parts
// of a checkpoint. The error says what it is, and what to get instead.
#ifndef TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
#define TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// OK if `path` is a folder. Otherwise the error says what it is: kNotFound if there is nothing,
// kUnsupported for an export that is one file, kInvalidArgument for one file of a checkpoint.
Status RejectThirdPartyPath(const std::string& path);

// OK if these are a checkpoint's files with config.json, which must be supplied where there is one,
// and safetensors. Otherwise the error says what they are: kNotFound where nothing tells,
// kUnsupported for another model or another export (Core ML, ONNX, PyTorch pickles, GGUF, quantised
// checkpoints).
Status RejectThirdPartyFiles(const CheckpointSource& source);

// The same by the tensors, which have canonical names: kUnsupported for exports whose config.json
// looks like the original (MLX, by the order of its convolutions' dimensions; GPTQ, AWQ,
// bitsandbytes) and for adapters that are not merged.
Status RejectThirdPartyTensors(const Safetensors& weights);

// What config.json calls the model, where that is none of FastVLM's names: "Qwen2-VL (model_type
// "qwen2_vl")". Only the tensors decide what it is.
std::optional<std::string> OtherModel(const Json& config);

// The error for a folder whose tensors are not FastVLM's and whose config.json names `model`, which
// OtherModel returned.
Status RejectOtherModel(const std::string& model);

// True for the file name of a PyTorch pickle (.bin, .pt, .pth).
bool IsPickle(const std::string& file);

// The file that PEFT saves an adapter in.
inline constexpr const char* kAdapterFile = "adapter_model.safetensors";

// True for a tensor of an adapter that is not merged.
bool IsAdapterTensor(std::string_view name);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_THIRD_PARTY_CHECKPOINT_H_
