#include "convert/checkpoint_config.h"

#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

// The config of the tiny checkpoint after an edit, with other files beside it.
Result<CheckpointConfig> Read(const std::string& from = "", const std::string& to = "", const std::vector<std::pair<std::string, std::string>>& files = {}) {
  const TempFolder folder;
  TinyCheckpoint checkpoint;
  if (!from.empty()) checkpoint.Edit(from, to);
  WriteText(folder.File("config.json"), checkpoint.config);
  for (const auto& [name, text] : files) WriteText(folder.File(name), text);
  return ReadCheckpointConfig(folder.File("."));
}

std::string Message(const std::string& from, const std::string& to) {
  const Result<CheckpointConfig> config = Read(from, to);
  REQUIRE_FALSE(config.ok());
  return config.status().message();
}

TEST_CASE("Foreign checkpoints are named", "[convert][config]") {
  const std::string type = R"("model_type": "fast_vlm")";
  CHECK_CONTAINS(Message(type, R"("model_type": "llava_qwen2")"), "Apple's original layout");
  CHECK_CONTAINS(Message(type, R"("model_type": "llama")"), "\"llama\" found");
  CHECK_CONTAINS(Message(type, R"("x": 1)"), "no model_type found");
  CHECK_CONTAINS(Message(type, R"("model_type": "fast_vlm", "quantization": {"bits": 4})"), "quantised already");
  CHECK_CONTAINS(Message(R"("model_type": "qwen2")", R"("model_type": "llama")"), "text_config.model_type: \"qwen2\" wanted, \"llama\" found");
  CHECK_CONTAINS(Message("fastvit_mci3", "fastvit_mci1"), "vision_config.architecture: \"fastvit_mci3\" wanted");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("inference_mode": false)"), "training form");
  CHECK_CONTAINS(Message("\"gelu\"", "\"gelu_new\""), "projector_hidden_act");
  CHECK_CONTAINS(Message(R"("multimodal_projector_bias": true)", R"("multimodal_projector_bias": false)"), "multimodal_projector_bias: true wanted, false found");
  CHECK_CONTAINS(Message(R"("rope_type": "default")", R"("rope_type": "yarn")"), "rope_parameters.rope_type: \"default\" wanted, \"yarn\" found");
  CHECK_CONTAINS(Message(R"("use_sliding_window": false)", R"("use_sliding_window": true)"), "use_sliding_window");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("cls_ratio": 1.5)"), "model_args.cls_ratio: 2 wanted, 1.5 found");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("downsamples": [true, true])"), "model_args.downsamples: false for stage 0 wanted");
}

TEST_CASE("Numbers that are missing or impossible are named with their key", "[convert][config]") {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    CHECK(Message(std::string("\"") + key + "\":", "\"x\":") == "config.json: text_config." + std::string(key) + " is missing");
  }
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 0)"), "text_config.hidden_size: a whole number from 1 to 65536 wanted, 0 found");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 1e9)"), "text_config.hidden_size");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": "32")"), "a string found");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 33)"), "do not divide a hidden size of 33");
  CHECK_CONTAINS(Message(R"("num_key_value_heads": 1)", R"("num_key_value_heads": 3)"), "3 kv heads");
  CHECK_CONTAINS(Message(R"("rms_norm_eps": 1e-06)", R"("rms_norm_eps": 2)"), "rms_norm_eps: a number between 0 and 1 wanted, 2 found");
  CHECK_CONTAINS(Message(R"("rope_theta": 1000000.0)", R"("rope_theta": -1)"), "rope_theta");
  CHECK_CONTAINS(Message(R"("embed_dims": [8, 32])", R"("embed_dims": [12, 32])"), "32 is not a multiple of the 12 before it");
  CHECK_CONTAINS(Message(R"("embed_dims": [8, 32])", R"("embed_dims": [8, 48])"), "multiples of 32, 48 found");
  CHECK_CONTAINS(Message(R"("embed_dims": [8, 32])", R"("embed_dims": [8])"), "an entry for each stage wanted, 1 found");
  CHECK_CONTAINS(Message(R"("embed_dims": [8, 32])", R"("embed_dims": [8, 1e30])"), "embed_dims");
  CHECK_CONTAINS(Message(R"("layers": [1, 1])", R"("layers": [])"), "layers: 1..8 stages wanted, 0 found");
  CHECK_CONTAINS(Message(R"("layers": [1, 1])", R"("layers": [1, 0.5])"), "layers: whole numbers");
  CHECK_CONTAINS(Message(R"("mlp_ratios": [2, 2])", R"("mlp_ratios": [2, 0])"), "mlp_ratios");
  CHECK_CONTAINS(Message(R"("mlp_ratios": [2, 2])", R"("mlp_ratios": "x")"), "a list of numbers wanted, a string found");
  CHECK_CONTAINS(Message(R"("attention"])", R"("pool"])"), "token_mixers");
  CHECK_CONTAINS(Message(R"("image_token_index": 3)", R"("image_token_index": 48)"), "image_token_index: an id from 0 to 47 wanted, 48 found");
  CHECK_CONTAINS(Message(R"("eos_token_id": 2)", R"("eos_token_id": [2, 99])"), "eos_token_id: ids from 0 to 47 wanted, 99 found");
  CHECK_CONTAINS(Message(R"("eos_token_id": 2)", R"("eos_token_id": "x")"), "a string found");
}

TEST_CASE("What a config leaves out is what transformers and timm take", "[convert][config]") {
  const auto config = Read(R"("layers": [1, 1], "embed_dims": [8, 32], "mlp_ratios": [2, 2], "token_mixers": ["repmixer", "attention"])", R"("global_pool": "avg")");
  INFO(config.status().message());
  REQUIRE(config.ok());
  REQUIRE(config->stages.size() == 5);
  CHECK(config->stages[1].depth == 12);
  CHECK(config->stages[4].channels == 1536);
  CHECK(config->stages[4].hidden == 6144);
  CHECK_FALSE(config->stages[2].attention);
  CHECK(config->stages[3].attention);
  CHECK(Read(R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"})", R"("rope_theta": 500000.0)")->rope_theta == 500000.0f);
  CHECK(Read(R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"})", R"("x": 0)")->rope_theta == 10000.0f);
  CHECK(Read(R"("num_key_value_heads": 1)", R"("num_key_value_heads": null)")->kv_heads == 2);
  CHECK(Read(R"("image_token_index": 3)", R"("image_token_id": 4)")->image_token_id == 4);
  CHECK(Read(R"("image_token_index": 3)", R"("x": 4)")->image_token_id == -1);
  CHECK(Read(R"("mlp_ratios": [2, 2])", R"("mlp_ratios": [2.6, 2])")->stages[0].hidden == 20);
}

TEST_CASE("Stop ids: the generation config's, else the decoder's", "[convert][config]") {
  CHECK(Read()->stop_ids == std::vector<int32_t>{2});
  CHECK(Read("", "", {{"generation_config.json", R"({"eos_token_id": [3, 1, 3]})"}})->stop_ids == std::vector<int32_t>{3, 1});
  CHECK(Read("", "", {{"generation_config.json", R"({"eos_token_id": null})"}})->stop_ids == std::vector<int32_t>{2});
  CHECK(Read(R"("eos_token_id": 2)", R"("eos_token_id": null)")->stop_ids.empty());
  CHECK_CONTAINS(Read("", "", {{"generation_config.json", R"({"eos_token_id": -1})"}}).status().message(), "generation_config.json: eos_token_id");
}

TEST_CASE("The picture size: the preprocessor's, else from the number of image tokens, else 1024", "[convert][config]") {
  const auto with = [](const std::string& json) { return Read("", "", {{"preprocessor_config.json", json}}); };
  CHECK(with(R"({"crop_size": {"height": 256, "width": 256}, "size": {"shortest_edge": 300}})")->image_size == 256);
  CHECK(with(R"({"crop_size": 512})")->image_size == 512);
  CHECK(with(R"({"do_center_crop": false, "crop_size": 512, "size": {"shortest_edge": 300}})")->image_size == 300);
  CHECK(with(R"({"size": {"height": 64, "width": 64}})")->image_size == 64);
  CHECK(with("{}")->image_size == 32);
  CHECK(Read(R"("image_seq_length": 16)", R"("image_seq_length": 17)")->image_size == 1024);
  CHECK(Read(R"("image_seq_length": 16)", R"("image_seq_length": 576)")->image_size == 1024);
  CHECK(Read(R"("image_seq_length": 16)", R"("x": 0)")->image_size == 1024);
  CHECK(Read("", "", {{"processor_config.json", R"({"image_processor": {"crop_size": {"height": 96, "width": 96}}})"}})->image_size == 96);
  CHECK_CONTAINS(with(R"({"crop_size": {"height": 256, "width": 128}})").status().message(), "a square wanted, 256 x 128 found");
  CHECK_CONTAINS(with(R"({"crop_size": 100000})").status().message(), "preprocessor_config.json: crop_size");
  CHECK_CONTAINS(with(R"({"resample": 2})").status().message(), "resample: 3 wanted, 2 found");
  CHECK_CONTAINS(with(R"({"rescale_factor": 0.5})").status().message(), "1/255 wanted, 0.5 found");
}

TEST_CASE("Mean and std of the preprocessor are kept unless it does not normalise", "[convert][config]") {
  const auto with = [](const std::string& json) { return Read("", "", {{"preprocessor_config.json", json}}); };
  CHECK(with(R"({"image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 3]})")->image_mean == std::array<float, 3>{0.5f, 0.25f, 0.125f});
  CHECK(with(R"({"image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 3]})")->image_std == std::array<float, 3>{1, 2, 3});
  CHECK(with(R"({"do_normalize": false, "image_mean": [0.5, 0.25, 0.125]})")->image_mean == std::array<float, 3>{0, 0, 0});
  CHECK_CONTAINS(with(R"({"image_std": [1, 0, 1]})").status().message(), "image_std: 0 cannot be used");
  CHECK_CONTAINS(with(R"({"image_mean": [1]})").status().message(), "image_mean: 3 numbers wanted, 1 found");
}

}  // namespace
}  // namespace tinyvlm
