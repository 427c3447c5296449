#include "convert/checkpoint_config.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "catch_amalgamated.hpp"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

using Files = std::vector<std::pair<std::string, std::string>>;

// The config of these files.
Result<CheckpointConfig> ReadFiles(const std::string& config, const Files& others) {
  std::map<std::string, std::string> contents(others.begin(), others.end());
  contents["config.json"] = config;
  return ReadCheckpointConfig(CheckpointSource("memory", std::move(contents)));
}

// The config of the tiny checkpoint after an edit, with other files beside it.
Result<CheckpointConfig> Read(const std::string& from = "", const std::string& to = "",
                              const Files& files = {}) {
  TinyCheckpoint checkpoint;
  if (!from.empty()) checkpoint.Edit(from, to);
  return ReadFiles(checkpoint.config, files);
}

std::string Message(const std::string& from, const std::string& to) {
  const Result<CheckpointConfig> config = Read(from, to);
  REQUIRE_FALSE(config.ok());
  return config.status().message();
}

TEST_CASE("A config that the engine does not support is rejected with its key",
          "[convert][config]") {
  CHECK_CONTAINS(Message(R"("model_type": "qwen2")", R"("model_type": "llama")"),
                 "text_config.model_type: \"qwen2\" wanted, \"llama\" found");
  CHECK_CONTAINS(Message("fastvit_mci3", "fastvit_mci1"),
                 "vision_config.architecture: \"fastvit_mci3\" wanted");
  CHECK_CONTAINS(Message("\"gelu\"", "\"gelu_new\""), "projector_hidden_act");
  CHECK_CONTAINS(Message("\"silu\"", "\"gelu\""),
                 "text_config.hidden_act: \"silu\" wanted, \"gelu\" found");
  CHECK_CONTAINS(
      Message(R"("multimodal_projector_bias": true)", R"("multimodal_projector_bias": false)"),
      "multimodal_projector_bias: true wanted, false found");
  CHECK_CONTAINS(Message(R"("rope_type": "default")", R"("rope_type": "yarn")"),
                 "rope_parameters.rope_type: \"default\" wanted, \"yarn\" found");
  CHECK_CONTAINS(Message(R"(, "rope_type": "default")", R"(, "factor": 4.0)"),
                 "rope_parameters.factor: no scaling of positions wanted");
  CHECK_CONTAINS(Message(R"("use_sliding_window": false)", R"("use_sliding_window": true)"),
                 "use_sliding_window");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("cls_ratio": 1.5)"),
                 "model_args.cls_ratio: 2 wanted, 1.5 found");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("downsamples": [true, true])"),
                 "model_args.downsamples: false for stage 0 wanted");
  CHECK_CONTAINS(Message(R"("inference_mode": true)", R"("se_downsamples": [false, true])"),
                 "model_args.se_downsamples: false for stage 1 wanted");
}

// Apple's config after an edit.
Result<CheckpointConfig> ReadApple(const std::string& from = "", const std::string& to = "",
                                   const Files& files = {}) {
  CheckpointFiles checkpoint;
  checkpoint.config =
      R"({"model_type": "llava_qwen2", "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 200000, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "max_position_embeddings": 2048, "eos_token_id": 2,
    "mm_vision_tower": "mobileclip_l_1024", "mm_hidden_size": 3072, "mm_projector_type": "mlp2x_gelu", "mm_patch_merge_type": "flat",
    "image_aspect_ratio": "pad", "image_grid_pinpoints": null, "mm_use_im_start_end": false, "vision_config": {}, "use_sliding_window": false, "tie_word_embeddings": false})";
  if (!from.empty()) checkpoint.Edit(from, to);
  return ReadFiles(checkpoint.config, files);
}

TEST_CASE("Apple's config: the decoder beside the mm_ keys, the image size in the tower's name",
          "[convert][config][apple]") {
  const Result<CheckpointConfig> config = ReadApple();
  INFO(config.status().message());
  REQUIRE(config.ok());
  CHECK(config->layout == CheckpointLayout::kApple);
  CHECK(config->width == 32);
  CHECK(config->rope_theta == 1e6f);
  CHECK(config->image_size == 1024);
  CHECK(config->image_token_id == -1);
  CHECK(config->stop_ids == std::vector<int32_t>{2});
  CHECK(config->tower.features == 3072);
  CHECK(std::string(config->resize_mode) == "pad");

  const auto size = [](const std::string& tower) {
    return ReadApple("\"mobileclip_l_1024\"", tower)->image_size;
  };
  CHECK(size("\"mobileclip_l_512\"") == 512);
  CHECK(size("\"checkpoints/mobileclip_l_384\"") == 384);
  CHECK(size("\"mobileclip_l\"") == 0);
  CHECK(size("null") == 0);
  CHECK(ReadApple("", "",
                  {{"preprocessor_config.json", R"({"crop_size": {"height": 256, "width": 256}})"}})
            ->image_size == 256);
  const char* const clip =
      R"({"crop_size": 256, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]})";
  const auto clip_config = ReadApple("", "", {{"preprocessor_config.json", clip}});
  // as Apple's code does, which does not read them
  CHECK(clip_config->image_mean == std::array<float, 3>{0, 0, 0});
  CHECK(clip_config->image_std == std::array<float, 3>{1, 1, 1});
  CHECK(std::string(ReadApple("\"pad\"", "\"square\"")->resize_mode) == "crop");
  CHECK(std::string(ReadApple("\"pad\"", "null")->resize_mode) == "crop");
  CHECK(ReadApple("\"image_grid_pinpoints\": null", "\"image_token_index\": 151646")
            ->image_token_id == 151646);
}

TEST_CASE(
    "Apple's config: what a LLaVA can say and this engine does not do is refused with its key",
    "[convert][config][apple]") {
  const auto message = [](const std::string& from, const std::string& to) {
    const Result<CheckpointConfig> config = ReadApple(from, to);
    CHECK_FALSE(config.ok());
    return config.status().message();
  };
  CHECK_CONTAINS(message("mlp2x_gelu", "linear"),
                 "config.json: mm_projector_type: \"mlp2x_gelu\" wanted, \"linear\" found");
  CHECK_CONTAINS(message("\"mm_use_im_start_end\": false", "\"mm_use_im_start_end\": true"),
                 "mm_use_im_start_end: false wanted, true found");
  CHECK_CONTAINS(message("\"flat\"", "\"spatial_unpad\""),
                 "mm_patch_merge_type: \"flat\" wanted, \"spatial_unpad\" found");
  CHECK_CONTAINS(
      message("\"image_grid_pinpoints\": null", "\"image_grid_pinpoints\": [[336, 672]]"),
      "image_grid_pinpoints: null wanted");
  CHECK_CONTAINS(message("\"pad\"", "\"anyres_max_9\""),
                 "image_aspect_ratio: \"pad\" or \"square\" wanted, \"anyres_max_9\" found");
  CHECK_CONTAINS(message("\"pad\"", "3"),
                 "image_aspect_ratio: \"pad\" or \"square\" wanted, a number found");
  CHECK_CONTAINS(message("\"mobileclip_l_1024\"", "\"openai/clip-vit-large-patch14-336\""),
                 "mm_vision_tower: FastVLM's tower (\"mobileclip_l_1024\") wanted, \"openai/clip");
  CHECK_CONTAINS(message("mobileclip_l_1024", "mobileclip_l_99999"),
                 "an image size of 1..4096 at its end wanted, 99999 found");
  CHECK_CONTAINS(message("\"silu\"", "\"relu\""),
                 "config.json: hidden_act: \"silu\" wanted, \"relu\" found");
  CHECK_CONTAINS(
      message("\"vision_config\": {}", R"("rope_scaling": {"type": "yarn", "factor": 4})"),
      "rope_scaling.type: \"default\" wanted, \"yarn\" found");
  CHECK_CONTAINS(message("\"vision_config\": {}", R"("rope_scaling": {"factor": 4})"),
                 "rope_scaling.factor");
  CHECK_CONTAINS(message("\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
                 "3 heads and 1 kv heads do not divide a hidden size of 32");
  CHECK_CONTAINS(message("\"hidden_size\": 32", "\"x\": 32"),
                 "config.json: hidden_size is missing");
}

TEST_CASE("Numbers that are missing or impossible are named with their key", "[convert][config]") {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads", "vocab_size"}) {
    CHECK(Message(std::string("\"") + key + "\":", "\"x\":") ==
          "config.json: text_config." + std::string(key) + " is missing");
  }
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 0)"),
                 "text_config.hidden_size: a whole number from 1 to 65536 wanted, 0 found");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 1e9)"),
                 "text_config.hidden_size");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": "32")"), "a string found");
  CHECK_CONTAINS(Message(R"("hidden_size": 32)", R"("hidden_size": 33)"),
                 "do not divide a hidden size of 33");
  CHECK_CONTAINS(Message(R"("num_key_value_heads": 1)", R"("num_key_value_heads": 3)"),
                 "3 kv heads");
  CHECK_CONTAINS(Message(R"("rms_norm_eps": 1e-06)", R"("rms_norm_eps": 2)"),
                 "rms_norm_eps: a number between 0 and 1 wanted, 2 found");
  CHECK_CONTAINS(Message(R"("rope_theta": 1000000.0)", R"("rope_theta": -1)"), "rope_theta");
  CHECK_CONTAINS(Message(R"("embed_dims": [8, 32])", R"("embed_dims": [8, 1e30])"), "embed_dims");
  CHECK_CONTAINS(Message(R"("layers": [1, 1])", R"("layers": [1, 0.5])"), "layers: whole numbers");
  CHECK_CONTAINS(Message(R"("mlp_ratios": [2, 2])", R"("mlp_ratios": [2, 0])"), "mlp_ratios");
  CHECK_CONTAINS(Message(R"("mlp_ratios": [2, 2])", R"("mlp_ratios": "x")"),
                 "a list of numbers wanted, a string found");
  CHECK_CONTAINS(Message(R"("attention"])", R"("pool"])"), "token_mixers");
  CHECK_CONTAINS(Message(R"("image_token_index": 3)", R"("image_token_index": 48)"),
                 "image_token_index: an id from 0 to 47 wanted, 48 found");
  CHECK_CONTAINS(Message(R"("eos_token_id": 2)", R"("eos_token_id": [2, 99])"),
                 "eos_token_id: ids from 0 to 47 wanted, 99 found");
  CHECK_CONTAINS(Message(R"("eos_token_id": 2)", R"("eos_token_id": "x")"), "a string found");
}

TEST_CASE("What a config leaves out is what transformers takes; of the tower it then says nothing",
          "[convert][config]") {
  const auto config = Read(
      R"("layers": [1, 1], "embed_dims": [8, 32], "mlp_ratios": [2, 2], "token_mixers": ["repmixer", "attention"])",
      R"("global_pool": "avg")");
  INFO(config.status().message());
  REQUIRE(config.ok());
  CHECK(config->tower.depths.empty());
  CHECK(config->tower.channels.empty());
  CHECK(config->tower.ratios.empty());
  CHECK(config->tower.attention.empty());
  CHECK(Read()->tower.channels == std::vector<uint32_t>{8, 32});
  CHECK(Read()->tower.attention == std::vector<bool>{false, true});
  CHECK(Read(R"("inference_mode": true)", R"("pos_embs": [null, null])")->tower.no_positional);
  CHECK(Read(R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"})",
             R"("rope_theta": 500000.0)")
            ->rope_theta == 500000.0f);
  CHECK(Read(R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"})", R"("x": 0)")
            ->rope_theta == 10000.0f);
  CHECK(Read(R"("num_key_value_heads": 1)", R"("num_key_value_heads": null)")->kv_heads == 2);
  CHECK(Read(R"("image_token_index": 3)", R"("image_token_id": 4)")->image_token_id == 4);
  CHECK(Read(R"("image_token_index": 3)", R"("x": 4)")->image_token_id == -1);
}

TEST_CASE("Stop ids: the generation config's, else the decoder's", "[convert][config]") {
  CHECK(Read()->stop_ids == std::vector<int32_t>{2});
  CHECK(Read("", "", {{"generation_config.json", R"({"eos_token_id": [3, 1, 3]})"}})->stop_ids ==
        std::vector<int32_t>{3, 1});
  CHECK(Read("", "", {{"generation_config.json", R"({"eos_token_id": null})"}})->stop_ids ==
        std::vector<int32_t>{2});
  CHECK(Read(R"("eos_token_id": 2)", R"("eos_token_id": null)")->stop_ids.empty());
  CHECK_CONTAINS(
      Read("", "", {{"generation_config.json", R"({"eos_token_id": -1})"}}).status().message(),
      "generation_config.json: eos_token_id");
}

TEST_CASE(
    "The image size: the preprocessor's, else the number of image tokens is kept for the tower to "
    "interpret",
    "[convert][config]") {
  const auto with = [](const std::string& json) {
    return Read("", "", {{"preprocessor_config.json", json}});
  };
  CHECK(with(R"({"crop_size": {"height": 256, "width": 256}, "size": {"shortest_edge": 300}})")
            ->image_size == 256);
  CHECK(with(R"({"crop_size": 512})")->image_size == 512);
  CHECK(with(R"({"do_center_crop": false, "crop_size": 512, "size": {"shortest_edge": 300}})")
            ->image_size == 300);
  CHECK(with(R"({"size": {"height": 64, "width": 64}})")->image_size == 64);
  CHECK(with("{}")->image_size == 0);
  CHECK(with("{}")->image_tokens == 16);
  CHECK(Read(R"("image_seq_length": 16)", R"("image_seq_length": 576)")->image_tokens == 0);
  CHECK(Read(R"("image_seq_length": 16)", R"("image_seq_length": -4)")->image_tokens == 0);
  CHECK(Read(R"("image_seq_length": 16)", R"("x": 0)")->image_tokens == 0);
  CHECK(Read("", "",
             {{"processor_config.json",
               R"({"image_processor": {"crop_size": {"height": 96, "width": 96}}})"}})
            ->image_size == 96);
  CHECK_CONTAINS(with(R"({"crop_size": {"height": 256, "width": 128}})").status().message(),
                 "a square wanted, 256 x 128 found");
  CHECK_CONTAINS(with(R"({"crop_size": 100000})").status().message(),
                 "preprocessor_config.json: crop_size");
  CHECK_CONTAINS(with(R"({"resample": 2})").status().message(), "resample: 3 wanted, 2 found");
  CHECK_CONTAINS(with(R"({"rescale_factor": 0.5})").status().message(), "1/255 wanted, 0.5 found");
}

TEST_CASE("Mean and std of the preprocessor are kept unless it does not normalise",
          "[convert][config]") {
  const auto with = [](const std::string& json) {
    return Read("", "", {{"preprocessor_config.json", json}});
  };
  CHECK(with(R"({"image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 3]})")->image_mean ==
        std::array<float, 3>{0.5f, 0.25f, 0.125f});
  CHECK(with(R"({"image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 3]})")->image_std ==
        std::array<float, 3>{1, 2, 3});
  CHECK(with(R"({"do_normalize": false, "image_mean": [0.5, 0.25, 0.125]})")->image_mean ==
        std::array<float, 3>{0, 0, 0});
  CHECK_CONTAINS(with(R"({"image_std": [1, 0, 1]})").status().message(),
                 "image_std: 0 cannot be used");
  CHECK_CONTAINS(with(R"({"image_mean": [1]})").status().message(),
                 "image_mean: 3 numbers wanted, 1 found");
}

}  // namespace
}  // namespace tinyvlm
