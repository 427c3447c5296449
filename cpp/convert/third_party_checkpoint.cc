#include "convert/third_party_checkpoint.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "convert/canonical_names.h"
#include "convert/checkpoint_config.h"

namespace tinyvlm {

namespace {

// Every rejection ends with this.
constexpr const char* kDownload =
    "wanted are the original bf16, f16 or f32 safetensors with their config.json, as in "
    "apple/FastVLM-0.5B";

struct KnownModel {
  std::string_view type;  // model_type, or the beginning of the word in "architectures"
  const char* name;
};

constexpr KnownModel kKnownModels[] = {
    {"mllama", "Llama-3.2-Vision"},
    {"llava", "LLaVA-1.5"},
    {"llava_next", "LLaVA-NeXT"},
    {"llava_onevision", "LLaVA-OneVision"},
    {"llava_llama",
     "a LLaVA with a Llama or Vicuna decoder (a Vicuna FastVLM is one; only those with a Qwen2 "
     "decoder are supported)"},
    {"llava_mistral", "a LLaVA with a Mistral decoder"},
    {"qwen2_vl", "Qwen2-VL"},
    {"qwen2_5_vl", "Qwen2.5-VL"},
    {"qwen3_vl", "Qwen3-VL"},
    {"qwen2", "Qwen2, a text model without a vision tower"},
    {"paligemma", "PaliGemma"},
    {"idefics2", "Idefics2"},
    {"idefics3", "Idefics3 (or the first SmolVLM)"},
    {"smolvlm", "SmolVLM"},
    {"phi3_v", "Phi-3-Vision"},
    {"phi4mm", "Phi-4-multimodal"},
    {"gemma3", "Gemma 3"},
    {"gemma3n", "Gemma 3n"},
    {"internvl", "InternVL"},
    {"internvl_chat", "InternVL"},
    {"minicpmv", "MiniCPM-V"},
    {"moondream1", "Moondream"},
    {"florence2", "Florence-2"},
};

Status Reject(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kUnsupported, "%s: this is %s; %s", path.c_str(), what.c_str(),
               kDownload);
}

// The error for a file that was given instead of a folder.
Status RejectFile(const std::string& path) {
  if (path.ends_with(".gguf")) {
    return Error(ErrorCode::kUnsupported,
                 "%s: a checkpoint folder wanted, a GGUF file found: it is converted already, ask "
                 "it as it is",
                 path.c_str());
  }
  if (path.ends_with(".safetensors") || path.ends_with(".json")) {
    return Error(ErrorCode::kInvalidArgument,
                 "%s: a checkpoint folder wanted, a file of one found: give the folder",
                 path.c_str());
  }
  if (IsPickle(path)) return Reject(path, "a PyTorch pickle");
  if (path.ends_with(".onnx")) return Reject(path, "an ONNX export");
  return Error(ErrorCode::kNotFound,
               "%s: a checkpoint folder (config.json and safetensors) wanted, a file found",
               path.c_str());
}

// What kind of folder this is, by the names of its files and folders; empty if they do not tell.
std::string ContentsOf(const std::vector<std::string>& names) {
  const auto ending = [&names](std::string_view end) {
    return std::any_of(names.begin(), names.end(),
                       [end](const std::string& name) { return name.ends_with(end); });
  };
  const auto has = [&names](std::string_view wanted) {
    return std::find(names.begin(), names.end(), wanted) != names.end();
  };
  if (ending(".mlpackage") || ending(".mlmodelc") || has("Manifest.json"))
    return "a Core ML export";
  if (ending(".onnx") || has("onnx")) return "an ONNX export";
  if (has("adapter_config.json") || has(kAdapterFile))
    return "a LoRA adapter, which must be merged into its base model first";
  if (ending(".gguf")) return "a folder of GGUF files, which are converted already";
  const auto pickle = std::find_if(names.begin(), names.end(), &IsPickle);
  return pickle == names.end()
             ? ""
             : Format("a checkpoint of PyTorch pickles (%s); save it as safetensors",
                      Printable(*pickle).c_str());
}

Status CheckQuantization(const Json& config) {
  const auto given = [&config](const char* key) {
    const Json* const value = config.Find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  };
  if (const Json* const quantization = given("quantization_config"); quantization != nullptr) {
    const Json* const method = quantization->Find("quant_method");
    if (method != nullptr && method->string() != nullptr) {
      return Reject(
          "config.json",
          Format("a checkpoint that is quantised already (quantization_config.quant_method \"%s\")",
                 Printable(*method->string()).c_str()));
    }
    if (given("quantization") == nullptr)
      return Reject("config.json",
                    "a checkpoint that is quantised already (key quantization_config)");
  }
  return given("quantization") == nullptr
             ? Status()
             : Reject("config.json", "an MLX export that is quantised already (key quantization)");
}

// True for a convolution of MLX, whose dimensions are [out, height, width, in / groups]. A shape
// that can be read either way is not.
bool IsTransposedKernel(const Shape& shape) {
  if (shape.size() != 4) return false;
  const bool depthwise = shape[1] > 1 && shape[1] == shape[2] && shape[3] == 1,
             pointwise = shape[1] == 1 && shape[2] == 1 && shape[3] > 1;
  return depthwise || pointwise;
}

}  // namespace

bool IsPickle(const std::string& file) {
  return file.ends_with(".bin") || file.ends_with(".pt") || file.ends_with(".pth");
}

bool IsAdapterTensor(std::string_view name) {
  const auto has_level = [name](std::string_view begin) {
    for (size_t at = 0; at < name.size(); ++at) {
      if (name.substr(at).starts_with(begin)) return true;
      at = name.find('.', at);
      if (at == std::string_view::npos) return false;
    }
    return false;
  };
  return has_level("lora_") || has_level("modules_to_save.") || has_level("original_module.") ||
         has_level("ia3_");
}

std::optional<std::string> OtherModel(const Json& config) {
  const Json* const type = config.Find("model_type");
  const Json* const classes = config.Find("architectures");
  std::string word = type != nullptr && type->string() != nullptr ? *type->string() : "";
  const char* const key = word.empty() ? "architectures" : "model_type";
  if (word.empty() && classes != nullptr && classes->array() != nullptr &&
      !classes->array()->empty() && classes->array()->front().string() != nullptr) {
    word = *classes->array()->front().string();
  }
  // A class name is a model_type in CamelCase without underscores, with a suffix: the longest known
  // type that is its prefix is the model.
  const auto letters = [](std::string_view text) {
    std::string result;
    for (const char c : text) {
      if (c != '_') result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return result;
  };
  const std::string small = letters(word);
  if (word.empty() || small.starts_with("fastvlm") || small.starts_with("llavaqwen"))
    return std::nullopt;
  const KnownModel* known = nullptr;
  for (const KnownModel& model : kKnownModels) {
    const bool fits = *key == 'm' ? word == model.type : small.starts_with(letters(model.type));
    if (fits && (known == nullptr || model.type.size() > known->type.size())) known = &model;
  }
  return Format("%s (%s \"%s\")", known == nullptr ? "another model" : known->name, key,
                Printable(word).c_str());
}

Status RejectOtherModel(const std::string& model) {
  return Reject("config.json", model + ", not FastVLM");
}

Status RejectThirdPartyPath(const std::string& path) {
  std::string name = path;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  if (name.ends_with(".mlpackage") || name.ends_with(".mlmodelc"))
    return Reject(path, "a Core ML export");
  if (IsFile(path)) return RejectFile(path);
  if (!IsFolder(path))
    return Error(ErrorCode::kNotFound,
                 "%s: a checkpoint folder (config.json and safetensors) wanted, nothing found",
                 path.c_str());
  return Status();
}

Status RejectThirdPartyFiles(const CheckpointSource& source) {
  const std::vector<std::string> names = source.TopNames();
  const std::string contents = ContentsOf(names);
  if (!source.Has("config.json")) {
    if (!contents.empty()) return Reject(source.name(), contents);
    return Error(ErrorCode::kNotFound, "%s: a checkpoint folder wanted, no config.json found in it",
                 source.name().c_str());
  }
  TVLM_ASSIGN_OR_RETURN(const Json config, source.ReadJson("config.json"));
  TVLM_RETURN_IF_ERROR(CheckQuantization(config));
  const bool has_weights = source.Has(kWeightsIndexName) ||
                           std::any_of(names.begin(), names.end(), [](const std::string& file) {
                             return file != kAdapterFile && file.ends_with(".safetensors");
                           });
  if (has_weights) return Status();
  const std::optional<std::string> other = OtherModel(config);
  if (other.has_value()) return RejectOtherModel(*other);
  return contents.empty() ? Status() : Reject(source.name(), contents);
}

Status RejectThirdPartyTensors(const Safetensors& weights) {
  for (const SafetensorsTensor& tensor : weights.tensors()) {
    const std::string_view name = tensor.name_in_file;
    const auto reject = [&](const std::string& what) {
      return Error(ErrorCode::kUnsupported, "tensor %s: this is %s; %s",
                   tensor.name_in_file.c_str(), what.c_str(), kDownload);
    };
    if (IsAdapterTensor(name)) {
      return reject(
          "of an adapter that is not merged: merge the adapter first (PEFT: merge_and_unload) and "
          "save the model again");
    }
    if (name.ends_with(".qweight") || name.ends_with(".qzeros"))
      return reject("a GPTQ or AWQ checkpoint, quantised already");
    if (name.ends_with(".absmax") || name.find(".quant_state.") != std::string_view::npos)
      return reject("a bitsandbytes checkpoint, quantised already");
    if (name.ends_with(".scales")) return reject("an MLX export that is quantised already");
    if (tensor.name.starts_with(kTowerPrefix) && IsTransposedKernel(tensor.shape)) {
      return reject("an MLX export: a kernel of shape [out, in, height, width] wanted, " +
                    ShapeToString(tensor.shape) + " found, which is transposed");
    }
  }
  return Status();
}

}  // namespace tinyvlm
