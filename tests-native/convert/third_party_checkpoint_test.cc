#include "convert/third_party_checkpoint.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "catch_amalgamated.hpp"
#include "checkpoint_folder.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

const char* const kDownload = "safetensors with their config.json, as in apple/FastVLM-0.5B";

// What a conversion of `path` says; it must refuse, as something unsupported unless another code is
// given, and write nothing.
std::string Refused(const std::string& path, ErrorCode code = ErrorCode::kUnsupported) {
  const TempFolder out;
  ConvertOptions options;
  options.checkpoint = path;
  options.output = out.File("model.gguf");
  options.tokenizer = false;
  const Status status = Convert(options, {});
  CHECK(std::string(ErrorCodeName(status.code())) == ErrorCodeName(code));
  CHECK_FALSE(std::filesystem::exists(options.output));
  CHECK_FALSE(std::filesystem::exists(options.output + ".partial"));
  if (code == ErrorCode::kUnsupported && !path.ends_with(".gguf"))
    CHECK_CONTAINS(status.message(), kDownload);
  return status.message();
}

// A folder with the tiny checkpoint's config after an edit, and with its weights; with those of
// another model where there is no tower.
std::string RefusedConfig(const std::string& from, const std::string& to, bool with_tower = true) {
  const TempFolder folder;
  TinyCheckpoint checkpoint;
  checkpoint.Edit(from, to);
  if (!with_tower) {
    std::erase_if(checkpoint.tensors, [](const auto& item) {
      return item.first.find("vision_tower") != std::string::npos;
    });
  }
  checkpoint.Write(folder);
  return Refused(folder.File("."));
}

std::string RefusedFiles(const std::vector<std::string>& files, bool with_config) {
  const TempFolder folder;
  if (with_config) WriteText(folder.File("config.json"), TinyCheckpoint().config);
  for (const std::string& file : files) {
    const std::filesystem::path path = folder.File(file);
    std::filesystem::create_directories(path.parent_path());
    WriteText(path.string(), "x");
  }
  return Refused(folder.File("."));
}

TEST_CASE("Other models are named", "[convert][third_party]") {
  const std::string type = R"("model_type": "fast_vlm")";
  const std::vector<std::pair<std::string, std::string>> models{
      {"mllama", "this is Llama-3.2-Vision (model_type \"mllama\"), not FastVLM"},
      {"llava", "this is LLaVA-1.5 ("},
      {"llava_next", "this is LLaVA-NeXT ("},
      {"qwen2_vl", "this is Qwen2-VL ("},
      {"qwen2_5_vl", "this is Qwen2.5-VL ("},
      {"paligemma", "this is PaliGemma ("},
      {"idefics3", "this is Idefics3"},
      {"smolvlm", "this is SmolVLM ("},
      {"phi3_v", "this is Phi-3-Vision ("},
      {"gemma3", "this is Gemma 3 ("},
      {"internvl", "this is InternVL ("},
      {"llava_llama", "a Vicuna FastVLM is one; only those with a Qwen2 decoder are supported"},
      {"qwen2", "this is Qwen2, a text model"},
      {"bert", "this is another model (model_type \"bert\"), not FastVLM"},
      {"\\u0001", "this is another model (model_type \"?\"), not FastVLM"}};
  for (const auto& [word, wanted] : models)
    CHECK_CONTAINS(RefusedConfig(type, "\"model_type\": \"" + word + "\"", false), wanted);
  const auto with_class = [&](const std::string& name) {
    return RefusedConfig(type, "\"architectures\": [\"" + name + "\"]", false);
  };
  CHECK_CONTAINS(with_class("Qwen2_5_VLForConditionalGeneration"),
                 "this is Qwen2.5-VL (architectures \"Qwen2_5_VLFor");
  CHECK_CONTAINS(with_class("MllamaForConditionalGeneration"), "this is Llama-3.2-Vision");
  CHECK_CONTAINS(with_class("InternVLChatModel"), "this is InternVL");
  CHECK_CONTAINS(with_class("ResNet"), "this is another model (architectures \"ResNet\")");
  // A decoder that is not Qwen2's beside FastVLM's tower, too.
  const TempFolder folder;
  TinyCheckpoint vicuna;
  vicuna.Edit(type, R"("model_type": "llava_llama")");
  std::erase_if(vicuna.tensors,
                [](const auto& item) { return item.first.ends_with("_proj.bias"); });
  vicuna.Write(folder);
  CHECK_CONTAINS(Refused(folder.File(".")), "a Vicuna FastVLM is one");
}

TEST_CASE("Checkpoints that are quantised already are named with their method",
          "[convert][third_party]") {
  const std::string tied = R"("tie_word_embeddings": true)";
  CHECK_CONTAINS(RefusedConfig(tied, R"("quantization": {"group_size": 64, "bits": 4})"),
                 "an MLX export that is quantised already (key quantization)");
  CHECK_CONTAINS(
      RefusedConfig(tied, R"("quantization": {"bits": 4}, "quantization_config": {"bits": 4})"),
      "an MLX export");
  for (const char* method : {"bitsandbytes", "gptq", "awq"}) {
    CHECK_CONTAINS(
        RefusedConfig(tied,
                      std::string(R"("quantization_config": {"quant_method": ")") + method + "\"}"),
        std::string("quantised already (quantization_config.quant_method \"") + method + "\")");
  }
  CHECK_CONTAINS(RefusedConfig(tied, R"("quantization_config": {"bits": 4})"),
                 "quantised already (key quantization_config)");
  // Where the config is silent, the tensors' names tell.
  const auto with = [](const std::string& name) {
    const TempFolder folder;
    TinyCheckpoint checkpoint;
    checkpoint.Add(name, {4});
    checkpoint.Write(folder);
    return Refused(folder.File("."));
  };
  CHECK_CONTAINS(with("model.layers.0.mlp.up_proj.qweight"),
                 "up_proj.qweight: this is a GPTQ or AWQ checkpoint");
  CHECK_CONTAINS(with("model.layers.0.mlp.up_proj.weight.absmax"),
                 "this is a bitsandbytes checkpoint");
  CHECK_CONTAINS(with("model.layers.0.mlp.up_proj.scales"),
                 "this is an MLX export that is quantised already");
}

TEST_CASE("Other exports are named by what lies in the folder", "[convert][third_party]") {
  CHECK_CONTAINS(RefusedFiles({"fastvithd.mlpackage/Manifest.json"}, true),
                 "this is a Core ML export");
  CHECK_CONTAINS(RefusedFiles({"fastvithd.mlmodelc/coremldata.bin"}, false),
                 "this is a Core ML export");
  CHECK_CONTAINS(RefusedFiles({"onnx/vision_encoder.onnx"}, true), "this is an ONNX export");
  CHECK_CONTAINS(RefusedFiles({"decoder.onnx"}, false), "this is an ONNX export");
  CHECK_CONTAINS(RefusedFiles({"adapter_config.json", "adapter_model.safetensors"}, false),
                 "a LoRA adapter, which must be merged into its base model first");
  CHECK_CONTAINS(RefusedFiles({"model-q4_0.gguf"}, false),
                 "a folder of GGUF files, which are converted already");
  CHECK_CONTAINS(RefusedFiles({"pytorch_model.bin"}, true),
                 "PyTorch pickles (pytorch_model.bin); save it as safetensors");
  CHECK_CONTAINS(
      RefusedFiles({"pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"}, true),
      "PyTorch pickles");
  const TempFolder folder;
  const std::string package = folder.File("FastVLM.mlpackage");
  std::filesystem::create_directories(package);
  CHECK_CONTAINS(Refused(package), "this is a Core ML export");
  CHECK_CONTAINS(Refused(package + "/"), "this is a Core ML export");
}

TEST_CASE("Files given instead of a folder are named", "[convert][third_party]") {
  const TempFolder folder;
  const auto refused = [&](const std::string& name, ErrorCode code = ErrorCode::kUnsupported) {
    WriteText(folder.File(name), "x");
    return Refused(folder.File(name), code);
  };
  CHECK_CONTAINS(refused("model.gguf"), "a GGUF file found: it is converted already");
  CHECK_CONTAINS(refused("model.onnx"), "this is an ONNX export");
  CHECK_CONTAINS(refused("pytorch_model.bin"), "this is a PyTorch pickle");
  CHECK_CONTAINS(refused("model.safetensors", ErrorCode::kInvalidArgument),
                 "a file of one found: give the folder");
  CHECK_CONTAINS(refused("config.json", ErrorCode::kInvalidArgument), "give the folder");
  CHECK_CONTAINS(refused("notes.txt", ErrorCode::kNotFound), "a file found");
  CHECK_CONTAINS(Refused(folder.File("absent"), ErrorCode::kNotFound), "nothing found");
}

TEST_CASE(
    "A checkpoint keeps its neighbours: other exports beside good weights are no reason to refuse",
    "[convert][third_party]") {
  const TempFolder folder;
  TinyCheckpoint().Write(folder);
  for (const char* name : {"model.onnx", "training_args.bin", "old.gguf"})
    WriteText(folder.File(name), "x");
  CHECK(RejectThirdPartyFiles(FolderSource(folder.File("."))).ok());
  CHECK(OpenCheckpoint(folder.File(".")).ok());
}

}  // namespace
}  // namespace tinyvlm
