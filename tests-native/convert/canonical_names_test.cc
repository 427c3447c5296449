// One checkpoint under the names and in the files that other tools give it: the model file is the
// same, byte for byte. What cannot be converted is rejected with a sentence that names tensors and
// files as they are on the disk.
#include "convert/canonical_names.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "convert/convert.h"
#include "shared_data.h"
#include "temp_folder.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

constexpr const char* kWanted =
    "; wanted are the original bf16, f16 or f32 safetensors with their config.json, as in "
    "apple/FastVLM-0.5B";

struct StoredTensor {
  SafetensorsType type = SafetensorsType::kF32;
  Shape shape;
  std::vector<uint8_t> bytes;
  bool operator==(const StoredTensor&) const = default;
};

using Tensors = std::map<std::string, StoredTensor>;
using Renaming = std::function<std::string(const std::string&)>;

// A whole checkpoint in memory, under the names of its files.
struct StoredCheckpoint {
  Tensors tensors;
  std::string config;
};

StoredCheckpoint ReadGolden(const std::string& name) {
  const std::string folder = GoldenPath(name).string();
  const auto files = ListFolder(folder);
  REQUIRE(files.ok());
  StoredCheckpoint checkpoint;
  for (const std::string& file : *files) {
    if (!file.starts_with("model") || !file.ends_with(".safetensors")) continue;
    const Result<Safetensors> weights = Safetensors::Open(folder + "/" + file);
    REQUIRE(weights.ok());
    for (const SafetensorsTensor& tensor : weights->tensors()) {
      StoredTensor& stored = checkpoint.tensors[tensor.name];
      stored = {tensor.type, tensor.shape, std::vector<uint8_t>(static_cast<size_t>(tensor.bytes))};
      REQUIRE(weights->ReadBytes(tensor, 0, stored.bytes.data(), stored.bytes.size()).ok());
    }
  }
  checkpoint.config = *ReadTextFile(folder + "/config.json", 1 << 20);
  return checkpoint;
}

void WriteTensors(const std::string& path, const Tensors& tensors) {
  std::vector<SafetensorsOutput> outputs;
  for (const auto& [name, tensor] : tensors)
    outputs.push_back({name, tensor.type, tensor.shape, tensor.bytes.data()});
  REQUIRE(WriteSafetensors(path, outputs).ok());
}

Tensors Renamed(const Tensors& tensors, const Renaming& rename) {
  Tensors result;
  for (const auto& [name, tensor] : tensors) {
    INFO(name << " -> " << rename(name));
    REQUIRE(result.emplace(rename(name), tensor).second);
  }
  return result;
}

// The tensors for whose names `take` is true.
Tensors Taken(const Tensors& tensors, const std::function<bool(const std::string&)>& take) {
  Tensors result;
  for (const auto& [name, tensor] : tensors) {
    if (take(name)) result.emplace(name, tensor);
  }
  return result;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A folder that is converted, and what was said about it.
class Folder {
 public:
  explicit Folder(const std::string& config) { WriteText(temp_.File("config.json"), config); }

  Folder& Add(const std::string& file, const Tensors& tensors) {
    WriteTensors(temp_.File(file), tensors);
    return *this;
  }

  Folder& AddText(const std::string& file, const std::string& text) {
    WriteText(temp_.File(file), text);
    return *this;
  }

  // Cuts the tensors into files model-0000x-of-0000y.safetensors, every `shards`-th into one.
  Folder& AddShards(const Tensors& tensors, size_t shards, bool with_index) {
    std::vector<Tensors> files(shards);
    std::string map;
    size_t n = 0;
    for (const auto& [name, tensor] : tensors) {
      map += Format("%s\"%s\": \"%s\"", n == 0 ? "" : ", ", name.c_str(),
                    Shard(n % shards, shards).c_str());
      files[n++ % shards].emplace(name, tensor);
    }
    for (size_t s = 0; s < shards; ++s) Add(Shard(s, shards), files[s]);
    return with_index ? AddText("model.safetensors.index.json", "{\"weight_map\": {" + map + "}}")
                      : *this;
  }

  std::string File(const std::string& name) const { return temp_.File(name); }
  std::string path() const { return temp_.File("."); }
  const std::vector<std::string>& warnings() const { return warnings_; }

  Status Convert() {
    warnings_.clear();
    ConvertOptions options;
    options.checkpoint = path();
    options.output = temp_.File("model.gguf");
    options.type = DType::kF32;
    options.tokenizer = false;
    options.warn = [this](const std::string& warning) { warnings_.push_back(warning); };
    return tinyvlm::Convert(options, {});
  }

  // The bytes of the model file.
  std::vector<uint8_t> Converted() {
    const Status status = Convert();
    INFO(status.message());
    REQUIRE(status.ok());
    return LoadModelFile(temp_.File("model.gguf")).bytes;
  }

  // The whole sentence of the error; no file may be there.
  std::string Refused(ErrorCode code) {
    const Status status = Convert();
    INFO(status.message());
    CHECK(std::string(ErrorCodeName(status.code())) == ErrorCodeName(code));
    CHECK_FALSE(IsFile(temp_.File("model.gguf")));
    return status.message();
  }

 private:
  static std::string Shard(size_t number, size_t shards) {
    return Format("model-%05zu-of-%05zu.safetensors", number + 1, shards);
  }

  const TempFolder temp_;
  std::vector<std::string> warnings_;
};

// t0-hf and the model file that it gives.
const StoredCheckpoint& Hf() {
  static const StoredCheckpoint checkpoint = ReadGolden("t0-hf");
  return checkpoint;
}

const StoredCheckpoint& Llava() {
  static const StoredCheckpoint checkpoint = ReadGolden("t0-llava");
  return checkpoint;
}

const StoredCheckpoint& Train() {
  static const StoredCheckpoint checkpoint = ReadGolden("t0-train");
  return checkpoint;
}

std::vector<uint8_t> Original(const StoredCheckpoint& checkpoint) {
  Folder folder(checkpoint.config);
  std::vector<uint8_t> bytes = folder.Add("model.safetensors", checkpoint.tensors).Converted();
  CHECK(folder.warnings().empty());
  return bytes;
}

// Replaces each of the prefixes of transformers' and Apple's names; the first that fits counts.
Renaming WithPrefixes(std::vector<std::pair<std::string, std::string>> prefixes) {
  return [prefixes = std::move(prefixes)](const std::string& name) {
    for (const auto& [from, to] : prefixes) {
      if (name.starts_with(from)) return to + name.substr(from.size());
    }
    return name;
  };
}

const char* const kTower = "model.vision_tower.timm_model.";
const char* const kProjector = "model.multi_modal_projector.";
const char* const kDecoder = "model.language_model.";

Renaming Before(const std::string& prefix) {
  return [prefix](const std::string& name) { return prefix + name; };
}

Renaming Replace(const std::string& pattern, const std::string& to) {
  return [pattern = std::regex(pattern), to](const std::string& name) {
    return std::regex_replace(name, pattern, to);
  };
}

Renaming Then(const Renaming& first, const Renaming& second) {
  return [first, second](const std::string& name) { return second(first(name)); };
}

// PEFT's level around the linear layers of the decoder.
const Renaming kBaseLayers = Replace(R"(\.([a-z]+_proj)\.(weight|bias)$)", ".$1.base_layer.$2");

TEST_CASE("A checkpoint under any writer's names gives the same model file, byte for byte",
          "[convert][names]") {
  const std::vector<std::pair<std::string, Renaming>> renamings{
      {"transformers 4: parts at the top, the decoder below language_model.model",
       WithPrefixes({{kTower, "vision_tower.timm_model."},
                     {kProjector, "multi_modal_projector."},
                     {kDecoder, "language_model.model."},
                     {"lm_head.", "language_model.lm_head."}})},
      {"the decoder as Qwen2 alone has it",
       WithPrefixes({{kDecoder, "model."}, {kProjector, "multi_modal_projector."}})},
      {"no level of timm's wrapper", WithPrefixes({{kTower, "model.vision_tower."}})},
      {"timm's wrapper called model", WithPrefixes({{kTower, "vision_tower.model."}})},
      {"LLaVA's levels around timm's words",
       WithPrefixes({{kTower, "model.vision_tower.vision_tower.model."},
                     {std::string(kProjector) + "linear_1.", "model.mm_projector.0."},
                     {std::string(kProjector) + "linear_2.", "model.mm_projector.2."},
                     {kDecoder, "model."}})},
      {"mlx-vlm's levels, kernels in PyTorch's order",
       WithPrefixes({{kTower, "vision_tower.vision_model."},
                     {std::string(kProjector) + "linear_1.", "multi_modal_projector.linear_0."},
                     {kProjector, "multi_modal_projector."},
                     {kDecoder, "language_model.model."},
                     {"lm_head.", "language_model.lm_head."}})},
      {"levels that no tool is known for",
       WithPrefixes({{kTower, "eyes.0.net."}, {kProjector, "glue."}, {kDecoder, "talker."}})},
      {"parts without any prefix",
       WithPrefixes({{kTower, ""}, {kProjector, "projector."}, {kDecoder, ""}})},
      {"torch.compile", Before("_orig_mod.")},
      {"torch.compile of each block and layer",
       Replace(R"((blocks|layers)\.(\d+)\.)", "$1.$2._orig_mod.")},
      {"data parallel", Before("module.")},
      {"data parallel of the decoder alone",
       Replace(R"(^model\.language_model\.)", "model.language_model.module.")},
      {"FSDP around the model, its parts and each layer",
       Then(Replace(R"(\.(language_model|vision_tower)\.)", ".$1._fsdp_wrapped_module."),
            Then(Replace(R"(layers\.(\d+)\.)", "layers.$1._fsdp_wrapped_module."),
                 Before("_fsdp_wrapped_module.")))},
      {"activation checkpointing",
       Replace(R"(layers\.(\d+)\.)", "layers.$1._checkpoint_wrapped_module.")},
      {"PEFT, merged", Before("base_model.model.")},
      {"PEFT, never attached: base_layer in linear layers",
       Then(kBaseLayers, Before("base_model.model."))},
      {"PEFT of the decoder alone",
       Then(kBaseLayers,
            Replace(R"(^model\.language_model\.)", "model.language_model.base_model.model."))},
      {"data parallel around torch.compile around PEFT",
       Then(kBaseLayers, Before("module._orig_mod.base_model.model."))}};
  // A head of its own that equals the embedding, as many tools save it.
  StoredCheckpoint hf = Hf();
  hf.tensors["lm_head.weight"] = hf.tensors.at(std::string(kDecoder) + "embed_tokens.weight");
  const std::vector<uint8_t> wanted = Original(Hf());
  const std::vector<uint8_t> trained = Original(Train());
  for (const auto& [what, rename] : renamings) {
    INFO(what);
    const Tensors tensors = Renamed(hf.tensors, rename);
    REQUIRE(tensors != hf.tensors);
    Folder folder(hf.config);
    CHECK(folder.Add("model.safetensors", tensors).Converted() == wanted);
    CHECK(folder.warnings().empty());
    Folder training(Train().config);
    CHECK(training.Add("model.safetensors", Renamed(Train().tensors, rename)).Converted() ==
          trained);
  }
  CHECK(renamings.size() >= 12);
}

TEST_CASE("Apple's layout under wrappers and other levels gives the same model file",
          "[convert][names]") {
  const std::string tower = "model.vision_tower.vision_tower.model.",
                    projector = "model.mm_projector.";
  const std::vector<std::pair<std::string, Renaming>> renamings{
      {"one level of vision_tower", WithPrefixes({{tower, "model.vision_tower."}})},
      {"the projector at the top", WithPrefixes({{projector, "mm_projector."}})},
      {"transformers' levels around Apple's words",
       WithPrefixes({{tower, kTower},
                     {projector + "0.", std::string(kProjector) + "linear_1."},
                     {projector + "2.", std::string(kProjector) + "linear_2."},
                     {"model.", kDecoder}})},
      {"torch.compile", Before("_orig_mod.")},
      {"PEFT", Then(kBaseLayers, Before("base_model.model."))}};
  const std::vector<uint8_t> wanted = Original(Llava());
  for (const auto& [what, rename] : renamings) {
    INFO(what);
    Folder folder(Llava().config);
    CHECK(folder.Add("model.safetensors", Renamed(Llava().tensors, rename)).Converted() == wanted);
    CHECK(folder.warnings().empty());
  }
}

TEST_CASE("Parts in files of their own are found", "[convert][names]") {
  const auto is_projector = [](const std::string& name) { return Contains(name, "projector"); };
  const auto is_tower = [](const std::string& name) { return Contains(name, "vision_tower"); };
  const auto neither = [&](const std::string& name) {
    return !is_projector(name) && !is_tower(name);
  };
  const std::vector<uint8_t> wanted = Original(Llava());
  const Tensors &all = Llava().tensors, projector = Taken(all, is_projector),
                tower = Taken(all, is_tower);
  const auto check = [&](const char* what, Folder& folder) {
    INFO(what);
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings().empty());
  };
  {
    Folder folder(Llava().config);
    folder.Add("model.safetensors", Taken(all, std::not_fn(is_projector)))
        .Add("mm_projector.safetensors", projector);
    check("the projector beside model.safetensors", folder);
  }
  {
    Folder folder(Llava().config);
    folder.AddShards(Taken(all, std::not_fn(is_tower)), 2, true)
        .Add("vision_tower.safetensors", Renamed(tower, [](const std::string& name) {
               return name.substr(std::string("model.vision_tower.vision_tower.model.").size());
             }));
    check("the tower, without its prefix, beside shards with an index", folder);
  }
  {
    Folder folder(Llava().config);
    folder.Add("llm.safetensors", Taken(all, neither))
        .Add("projector.safetensors",
             Renamed(projector,
                     [](const std::string& name) {
                       return name.substr(std::string("model.mm_projector.").size());
                     }))
        .Add("vision.safetensors", tower);
    check("three files, none called model.safetensors, the projector's names numbers", folder);
  }
  {
    Folder folder(Llava().config);
    folder.AddShards(all, 3, false);
    check("shards without an index", folder);
  }
  {
    Folder folder(Llava().config);
    folder.Add("weights.safetensors", all);
    check("one file of another name", folder);
  }
}

TEST_CASE("A second set of weights is named in a warning where it is clear which is meant",
          "[convert][names]") {
  const std::vector<uint8_t> wanted = Original(Hf());
  Tensors stale = Hf().tensors;
  for (auto& [name, tensor] : stale) std::fill(tensor.bytes.begin(), tensor.bytes.end(), 0);
  using Warnings = std::vector<std::string>;
  {
    Folder folder(Hf().config);
    folder.AddShards(Hf().tensors, 2, true).Add("model.safetensors", stale);
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() ==
          Warnings{"model.safetensors is not used: it is another set of weights, what "
                   "model.safetensors.index.json names is read"});
  }
  {
    Folder folder(Hf().config);
    folder.Add("model.safetensors", Hf().tensors).Add("consolidated.safetensors", stale);
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() == Warnings{"consolidated.safetensors is not used: it is another set "
                                        "of weights, model.safetensors is read"});
  }
  {
    Folder folder(Hf().config);
    folder.Add("model.safetensors", Hf().tensors).AddShards(stale, 2, false);
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() == Warnings{"model-*-of-00002.safetensors is not used: it is another "
                                        "set of weights, model.safetensors is read"});
  }
  {  // The file in use becomes complete by one with a later name.
    Folder folder(Hf().config);
    const auto is_projector = [](const std::string& name) { return name.starts_with(kProjector); };
    folder.Add("model.safetensors", Taken(Hf().tensors, std::not_fn(is_projector)))
        .Add("projector.safetensors", Taken(Hf().tensors, is_projector))
        .Add("consolidated.safetensors", stale);
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() == Warnings{"consolidated.safetensors is not used: it is another set "
                                        "of weights, model.safetensors is read"});
  }
  {  // The index outlived its shards.
    Folder folder(Hf().config);
    folder.Add("model.safetensors", Hf().tensors)
        .AddText("model.safetensors.index.json",
                 R"({"weight_map": {"a": "model-00001-of-00001.safetensors"}})");
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() ==
          Warnings{"model.safetensors.index.json is not used: it names shards, none of which is "
                   "there; model.safetensors is read"});
  }
  {
    Folder folder(Hf().config);
    folder.Add("model.safetensors", Hf().tensors)
        .Add("adapter_model.safetensors",
             {{"base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight",
               {SafetensorsType::kF32, {1}, std::vector<uint8_t>(4)}}})
        .Add("optimizer.safetensors",
             {{"state.0.exp_avg", {SafetensorsType::kF32, {1}, std::vector<uint8_t>(4)}}})
        .AddText("broken.safetensors", "x");
    CHECK(folder.Converted() == wanted);
    CHECK(folder.warnings() ==
          Warnings{"adapter_model.safetensors is not used: it is an adapter that is not merged; "
                   "merge the adapter first if it is meant",
                   "broken.safetensors is not used: " + folder.File("./broken.safetensors") +
                       ": a safetensors file wanted, one of 1 bytes found",
                   "optimizer.safetensors is not used: none of its tensors shows a part of a "
                   "FastVLM"});
  }
}

TEST_CASE("Two sets of weights of which either could be meant are an error that names both",
          "[convert][names]") {
  Folder folder(Hf().config);
  folder.Add("epoch1.safetensors", Hf().tensors).Add("epoch2.safetensors", Hf().tensors);
  CHECK(folder.Refused(ErrorCode::kInvalidFile) ==
        folder.path() +
            ": one set of weights wanted, two whole ones found, epoch1.safetensors and "
            "epoch2.safetensors: remove one, or call the one that is meant "
            "model.safetensors");
  // A projector that was trained further, beside a whole checkpoint.
  Tensors projector =
      Taken(Hf().tensors, [](const std::string& name) { return name.starts_with(kProjector); });
  Folder both(Hf().config);
  both.Add("model.safetensors", Hf().tensors).Add("mm_projector.safetensors", projector);
  CHECK(both.Converted() == Original(Hf()));
  CHECK(both.warnings() ==
        std::vector<std::string>{
            "4 tensors are there twice with the same bytes, and one of each is used: for instance "
            "model.multi_modal_projector.linear_1.bias of model.safetensors and "
            "model.multi_modal_projector.linear_1.bias of mm_projector.safetensors"});
  projector.at(std::string(kProjector) + "linear_2.bias").bytes[0] ^= 1;
  Folder differs(Hf().config);
  differs.Add("model.safetensors", Hf().tensors).Add("mm_projector.safetensors", projector);
  CHECK(differs.Refused(ErrorCode::kInvalidFile) ==
        "tensors model.multi_modal_projector.linear_2.bias of model.safetensors and "
        "model.multi_modal_projector.linear_2.bias of mm_projector.safetensors are the same tensor "
        "of a FastVLM with different values: remove one");
  Folder missing(Hf().config);
  missing.AddShards(Hf().tensors, 3, false);
  std::filesystem::remove(missing.File("model-00002-of-00003.safetensors"));
  CHECK(missing.Refused(ErrorCode::kNotFound) ==
        missing.path() + ": 3 shards model-*-of-00003.safetensors wanted, 2 found");
}

TEST_CASE("A tensor under two names: equal bytes are a warning, others an error",
          "[convert][names]") {
  StoredCheckpoint twice = Hf();
  const std::string norm = "model.language_model.norm.weight", copy = "language_model.model.";
  for (const auto& [name, tensor] : Hf().tensors) {
    if (name.starts_with(kDecoder))
      twice.tensors[copy + name.substr(std::string(kDecoder).size())] = tensor;
  }
  Folder folder(twice.config);
  folder.Add("model.safetensors", twice.tensors);
  CHECK(folder.Converted() == Original(Hf()));
  CHECK(folder.warnings() ==
        std::vector<std::string>{
            "26 tensors are there twice with the same bytes, and one of each is used: for instance "
            "language_model.model.embed_tokens.weight and "
            "model.language_model.embed_tokens.weight"});
  twice.tensors.at(norm).bytes[5] ^= 4;
  Folder differs(twice.config);
  differs.Add("model.safetensors", twice.tensors);
  CHECK(differs.Refused(ErrorCode::kInvalidFile) ==
        "tensors language_model.model.norm.weight and model.language_model.norm.weight are the "
        "same tensor of a FastVLM with different values: remove one");
}

TEST_CASE("Any or no model_type: the structure decides, and the config's numbers must agree",
          "[convert][names]") {
  const std::vector<uint8_t> hf = Original(Hf()), llava = Original(Llava());
  const auto with = [](const StoredCheckpoint& checkpoint, const std::string& from,
                       const std::string& to) {
    StoredCheckpoint changed = checkpoint;
    const size_t at = changed.config.find(from);
    REQUIRE(at != std::string::npos);
    changed.config.replace(at, from.size(), to);
    return changed;
  };
  const std::vector<std::pair<std::string, std::string>> types{
      {R"("model_type": "fast_vlm")", R"("architectures": ["FastVlmForConditionalGeneration"])"},
      {R"("model_type": "fast_vlm")", R"("unnamed": true)"},
      {R"("model_type": "fast_vlm")", R"("model_type": "fastvlm")"},
      {R"("model_type": "fast_vlm")", R"("model_type": "llava_qwen2")"},
      {R"("model_type": "llava_qwen2")", R"("model_type": "llava_qwen")"},
      {R"("model_type": "llava_qwen2")", R"("model_type": "fast_vlm")"},
      {R"("model_type": "llava_qwen2")", R"("unnamed": true)"}};
  for (const auto& [from, to] : types) {
    INFO(from << " -> " << to);
    const bool apple = Contains(from, "llava");
    const StoredCheckpoint changed = with(apple ? Llava() : Hf(), from, to);
    Folder folder(changed.config);
    CHECK(folder.Add("model.safetensors", changed.tensors).Converted() == (apple ? llava : hf));
    CHECK(folder.warnings().empty());
  }
  const StoredCheckpoint odd =
      with(Hf(), R"("model_type": "fast_vlm")", R"("model_type": "qwen2_vl")");
  Folder folder(odd.config);
  CHECK(folder.Add("model.safetensors", odd.tensors).Converted() == hf);
  CHECK(folder.warnings() ==
        std::vector<std::string>{"config.json calls this Qwen2-VL (model_type \"qwen2_vl\"); its "
                                 "tensors are FastVLM's, so it is converted as one"});
  StoredCheckpoint wide = with(Hf(), R"("intermediate_size": 192)", R"("intermediate_size": 191)");
  wide.tensors = Renamed(wide.tensors, Before("module."));
  Folder disagrees(wide.config);
  disagrees.Add("model.safetensors", wide.tensors);
  CHECK(disagrees.Refused(ErrorCode::kInvalidFile) ==
        "tensor module.model.language_model.layers.0.mlp.gate_proj.weight: shape [191, 64] wanted, "
        "[192, 64] found");
}

TEST_CASE("Errors name tensors as they are in the file, and missing ones as they would be",
          "[convert][names]") {
  const Renaming wrap =
      Then(kBaseLayers, Then(Replace(R"((blocks|layers)\.(\d+)\.)", "$1.$2._orig_mod."),
                             WithPrefixes({{kTower, "module.vision_tower.model."},
                                           {kProjector, "module.multi_modal_projector."},
                                           {kDecoder, "module.language_model.model."}})));
  const auto refused = [&](const std::function<void(Tensors*)>& change, ErrorCode code) {
    StoredCheckpoint checkpoint = Hf();
    checkpoint.tensors = Renamed(checkpoint.tensors, wrap);
    change(&checkpoint.tensors);
    Folder folder(checkpoint.config);
    folder.Add("model.safetensors", checkpoint.tensors);
    return folder.Refused(code);
  };
  // Every tensor that is read, missing and of another shape.
  size_t count = 0;
  for (const auto& [name, tensor] : Hf().tensors) {
    if (IsUnusedTensor(name)) continue;
    const std::string in_file = wrap(name);
    INFO(in_file);
    const std::string missing =
        refused([&](Tensors* tensors) { tensors->erase(in_file); }, ErrorCode::kNotFound);
    // The last level with a wrapper of its own is not known where nothing beside it shows it.
    const bool lone = Contains(in_file, ".base_layer.") && !Contains(in_file, "self_attn.q_proj") &&
                      !Contains(in_file, "self_attn.k_proj") &&
                      !Contains(in_file, "self_attn.v_proj");
    CHECK(missing ==
          "tensor " +
              (lone ? std::regex_replace(in_file, std::regex(R"(\.base_layer)"), "") : in_file) +
              " is missing from the checkpoint");
    ++count;
  }
  CHECK(count == 135 - 5);
  const std::string up = wrap("model.language_model.layers.1.mlp.up_proj.weight");
  CHECK(up == "module.language_model.model.layers.1._orig_mod.mlp.up_proj.base_layer.weight");
  CHECK(refused([&](Tensors* tensors) { tensors->at(up).shape = {64, 192}; },
                ErrorCode::kInvalidFile) ==
        "tensor " + up + ": shape [192, 64] wanted, [64, 192] found");
  CHECK(refused(
            [&](Tensors* tensors) {
              for (size_t i = 0; i < 4; ++i) tensors->at(up).bytes[40 + i] = 0xff;
            },
            ErrorCode::kInvalidFile) ==
        "tensor " + up + ": finite weights wanted, -nan found at element 10");
  CHECK(refused([&](Tensors* tensors) { (*tensors)["module.image_newline"] = tensors->at(up); },
                ErrorCode::kUnsupported) ==
        "tensor module.image_newline is not part of the FastVLM that config.json and the other "
        "tensors describe");
  const std::string stages = "module.vision_tower.model.stages.";
  CHECK(refused(
            [&](Tensors* tensors) {
              std::erase_if(*tensors, [&](const auto& item) {
                return item.first.starts_with(stages + "2.");
              });
            },
            ErrorCode::kNotFound) == "tensors of " + stages +
                                         "2 wanted, none found, though there "
                                         "are some of " +
                                         stages + "3");
}

TEST_CASE("Parts that are missing, and where they may be", "[convert][names]") {
  const auto without = [](const char* part) {
    return Taken(Llava().tensors,
                 [part](const std::string& name) { return !Contains(name, part); });
  };
  Folder folder(Llava().config);
  folder.Add("model.safetensors", without("projector"))
      .AddText("mm_projector.bin", "x")
      .AddText("training_args.bin", "x");
  CHECK(folder.Refused(ErrorCode::kNotFound) ==
        "a projector (tensors *projector.linear_1.weight and linear_2, or *projector.0.weight and "
        "2) wanted, none found in the checkpoint; mm_projector.bin is a PyTorch pickle, which is "
        "not read: save it as safetensors");
  Folder blind(Llava().config);
  blind.Add("model.safetensors", without("vision_tower")).AddText("fastvithd.mlpackage", "x");
  CHECK(blind.Refused(ErrorCode::kNotFound) ==
        "a vision tower (tensors *.stages.0.blocks.0.mlp.fc1.weight or "
        "*.network.0.0.convffn.fc1.weight, and others; one that was frozen in training may have "
        "been kept elsewhere) wanted, none found in the checkpoint; fastvithd.mlpackage is a Core "
        "ML export, which is not read");
  Folder mute(Llava().config);
  mute.Add("model.safetensors", Taken(Llava().tensors, [](const std::string& name) {
             return Contains(name, "vision_tower") || Contains(name, "projector");
           }));
  CHECK(mute.Refused(ErrorCode::kNotFound) ==
        "a decoder (tensors *.embed_tokens.weight, *.layers.*) wanted, none found in the "
        "checkpoint");
  for (const char* const file : {"consolidated.00.pth", "model.pt", "model.bin"}) {
    Folder pickled(Llava().config);
    pickled.AddText(file, "x");
    CHECK(pickled.Refused(ErrorCode::kUnsupported) ==
          pickled.path() + ": this is a checkpoint of PyTorch pickles (" + file +
              "); save it as safetensors" + kWanted);
  }
}

TEST_CASE("Adapters that are not merged, and MLX's order of dimensions, are rejected",
          "[convert][names]") {
  const auto with = [](const std::string& name, const Shape& shape,
                       SafetensorsType type = SafetensorsType::kF32) {
    StoredCheckpoint checkpoint = Hf();
    const size_t bytes = static_cast<size_t>(*ElementCount(shape)) * SafetensorsTypeBytes(type);
    checkpoint.tensors[name] = {type, shape, std::vector<uint8_t>(bytes)};
    Folder folder(checkpoint.config);
    folder.Add("model.safetensors", checkpoint.tensors);
    return folder.Refused(ErrorCode::kUnsupported);
  };
  const std::string layer = "base_model.model.model.language_model.layers.0.";
  for (const std::string& name :
       {layer + "self_attn.q_proj.lora_A.default.weight", layer + "mlp.up_proj.lora_B.weight",
        std::string("base_model.model.lm_head.modules_to_save.default.weight"),
        std::string("base_model.model.lm_head.original_module.weight"),
        layer + "self_attn.q_proj.lora_magnitude_vector"}) {
    CHECK(with(name, {4, 4}) ==
          "tensor " + name +
              ": this is of an adapter that is not merged: merge the adapter first (PEFT: "
              "merge_and_unload) and save the model again" +
              kWanted);
  }
  CHECK(with("language_model.model.layers.0.mlp.up_proj.scales", {192, 1}) ==
        "tensor language_model.model.layers.0.mlp.up_proj.scales: this is an MLX export that is "
        "quantised already" +
            std::string(kWanted));

  // Every kernel with its input channels last, as mlx-vlm saves them, under transformers' names.
  StoredCheckpoint mlx = Hf();
  for (auto& [name, tensor] : mlx.tensors) {
    if (tensor.shape.size() == 4)
      tensor.shape = {tensor.shape[0], tensor.shape[2], tensor.shape[3], tensor.shape[1]};
  }
  Folder folder(mlx.config);
  folder.Add("model.safetensors", mlx.tensors);
  CHECK(folder.Refused(ErrorCode::kUnsupported) ==
        "tensor model.vision_tower.timm_model.final_conv.reparam_conv.weight: this is an MLX "
        "export: a kernel of shape [out, in, height, width] wanted, [128, 3, 3, 1] found, which is "
        "transposed" +
            std::string(kWanted));
}

// A random way to write a checkpoint: wrappers around the model, its parts, its blocks and layers,
// and linear layers, levels before the parts, and shards.
TEST_CASE("Random nestings of wrappers and levels give the same model file", "[convert][names]") {
  const std::vector<std::string> wrappers{"_orig_mod.", "module.", "_fsdp_wrapped_module.",
                                          "_checkpoint_wrapped_module.", "base_model.model."};
  const std::vector<const StoredCheckpoint*> checkpoints{&Hf(), &Llava(), &Train()};
  std::vector<std::vector<uint8_t>> wanted;
  for (const StoredCheckpoint* const checkpoint : checkpoints)
    wanted.push_back(Original(*checkpoint));
  std::set<std::string> seen;
  for (uint32_t seed = 0; seed < 90; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
    const auto nest = [&](size_t most) {
      std::string levels;
      for (size_t n = below(most + 1); n > 0; --n) levels += wrappers[below(wrappers.size())];
      return levels;
    };
    const auto one_of = [&](std::vector<std::string> words) { return words[below(words.size())]; };
    const size_t which = seed % checkpoints.size();
    const bool apple = which == 1;
    const std::string around = nest(3), in_tower = nest(2), in_decoder = nest(2),
                      in_blocks = nest(2), in_layers = nest(2), base = one_of({"", "base_layer."}),
                      tower = one_of({"model.vision_tower.", "vision_tower.", "model.visual."}) +
                              one_of({"", "timm_model.", "model.", "vision_tower.model."}),
                      decoder =
                          one_of({"model.", "language_model.model.", "model.language_model."}),
                      projector = one_of({"", "model."}) +
                                  one_of({"multi_modal_projector.", "mm_projector."});
    Renaming rename =
        apple ? WithPrefixes({{"model.vision_tower.vision_tower.model.", around + tower + in_tower},
                              {"model.mm_projector.", around + projector + in_tower},
                              {"model.", around + decoder + in_decoder},
                              {"lm_head.", around + one_of({"", "language_model."}) + "lm_head."}})
              : WithPrefixes({{kTower, around + tower + in_tower},
                              {kProjector, around + projector + in_tower},
                              {kDecoder, around + decoder + in_decoder}});
    rename = Then(Then(rename, Replace(R"((blocks|network\.\d+)\.(\d+)\.)", "$1.$2." + in_blocks)),
                  Then(Replace(R"(layers\.(\d+)\.)", "layers.$1." + in_layers),
                       Replace(R"(\.([a-z]+_proj)\.(weight|bias)$)", ".$1." + base + "$2")));
    const StoredCheckpoint& checkpoint = *checkpoints[which];
    const Tensors tensors = Renamed(checkpoint.tensors, rename);
    seen.insert(tensors.begin()->first);
    Folder folder(checkpoint.config);
    const size_t shards = 1 + below(3);
    if (shards == 1)
      folder.Add(one_of({"model.safetensors", "pytorch_model.safetensors"}), tensors);
    else
      folder.AddShards(tensors, shards, below(2) == 0);
    INFO("seed " << seed << ": " << tensors.begin()->first << " ... " << tensors.rbegin()->first);
    CHECK(folder.Converted() == wanted[which]);
    CHECK(folder.warnings().empty());
  }
  CHECK(seen.size() > 60);
}

}  // namespace
}  // namespace tinyvlm
