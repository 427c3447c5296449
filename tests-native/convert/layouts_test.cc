// Checkpoints of both layouts and both forms, of sizes that nobody released: what the converted
// convolutions compute is what the branches compute.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "branched_checkpoint.h"
#include "catch_amalgamated.hpp"
#include "convert/checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

using Form = BranchedCheckpoint::Form;

const std::vector<BranchedCheckpoint::Stage> kThreeStages{
    {1, 4, 9, false}, {3, 12, 12, false}, {2, 96, 144, true}};
const std::vector<BranchedCheckpoint::Stage> kSixStages{{1, 8, 16, false},   {2, 8, 24, false},
                                                        {1, 32, 64, true},   {1, 32, 32, false},
                                                        {11, 32, 33, false}, {2, 64, 256, true}};

std::string Refused(const CheckpointFiles& checkpoint) {
  const TempFolder folder;
  const Status status = ConvertFiles(checkpoint, folder);
  CHECK_FALSE(status.ok());
  CHECK_FALSE(IsFile(folder.File("model.gguf")));
  CHECK_FALSE(IsFile(folder.File("model.gguf.partial")));
  return status.message();
}

// Both must give the same map, up to the rounding of the folded kernel to f32: k * k * inputs
// products of rounded weights.
void CheckConvolution(const BranchedCheckpoint::Convolution& conv, const LoadedModel& model) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  Map in = Zeros(conv.inputs, 9);
  for (double& value : in.values) value = normal(random);
  const Map wanted = conv.function(in);
  const std::vector<float> kernel = model.Values(conv.name + ".weight"),
                           bias = model.Values(conv.name + ".bias");
  const size_t outputs = static_cast<size_t>(conv.kernel[0]),
               per_group = static_cast<size_t>(conv.kernel[1]);
  Map found =
      Convolve(in, kernel, outputs, per_group, static_cast<size_t>(conv.kernel[3]), conv.stride);
  double largest = 0, difference = 0;
  for (size_t i = 0; i < found.values.size(); ++i) {
    const double value = found.values[i] + bias[i / (found.side * found.side)];
    largest = std::max(largest, std::fabs(wanted.values[i]));
    difference =
        std::isfinite(value) ? std::max(difference, std::fabs(value - wanted.values[i])) : INFINITY;
  }
  INFO(conv.name << ": " << difference / largest);
  REQUIRE(wanted.values.size() == found.values.size());
  CHECK(difference <= 2e-7 * largest);
}

TEST_CASE("Any tower of either layout in either form computes what its branches compute",
          "[convert][fold]") {
  for (const CheckpointLayout layout :
       {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
    for (const Form form : {Form::kInference, Form::kTraining, Form::kMixed}) {
      for (const auto& stages : {kThreeStages, kSixStages}) {
        for (uint32_t seed = 1; seed <= 2; ++seed) {
          BranchedCheckpoint checkpoint(layout, form, stages, seed == 2, seed);
          checkpoint.shards = seed == 2 ? 3 : 1;
          INFO("layout " << static_cast<int>(layout) << ", form " << static_cast<int>(form) << ", "
                         << stages.size() << " stages, seed " << seed);
          const LoadedModel model = Converted(checkpoint);
          std::vector<int32_t> depths, dims, attention;
          for (const auto& stage : stages) {
            if (stage.attention) attention.push_back(static_cast<int32_t>(depths.size()));
            depths.push_back(static_cast<int32_t>(stage.depth));
            dims.push_back(static_cast<int32_t>(stage.channels));
          }
          CHECK(*model.file.metadata.GetI32Array("fastvlm.vision.depths") == depths);
          CHECK(*model.file.metadata.GetI32Array("fastvlm.vision.dims") == dims);
          CHECK(*model.file.metadata.GetI32Array("fastvlm.vision.attn_stages") == attention);
          CHECK(*model.file.metadata.GetU32("fastvlm.vision.se_dim") == 5);
          CHECK((model.file.Find("output.weight") != nullptr) == (seed == 2));
          // 4 of the stem and the end; 2 to 3 per stage; 2 or 1 per block.
          CHECK(checkpoint.convolutions.size() > 4 + 2 * stages.size());
          for (const auto& conv : checkpoint.convolutions) CheckConvolution(conv, model);
          CHECK(model.Values("v.stage.1.blk.0.ffn_up.weight").size() ==
                stages[1].hidden * stages[1].channels);
        }
      }
    }
  }
}

TEST_CASE("Apple's names: what is not a convolution is copied, f16 and bf16 too",
          "[convert][apple]") {
  for (const SafetensorsType type :
       {SafetensorsType::kF32, SafetensorsType::kF16, SafetensorsType::kBF16}) {
    BranchedCheckpoint checkpoint(CheckpointLayout::kApple, Form::kInference, kThreeStages, true,
                                  5);
    checkpoint.type = type;
    checkpoint.shards = 2;
    const LoadedModel model = Converted(checkpoint);
    const std::string block = "model.vision_tower.vision_tower.model.network.5.1.";
    const std::vector<std::pair<std::string, std::string>> pairs{
        {"v.stage.2.blk.1.attn_qkv.weight", block + "token_mixer.qkv.weight"},
        {"v.stage.2.blk.1.ls1", block + "layer_scale_1"},
        {"v.stage.2.blk.1.ffn_down.weight", block + "convffn.fc2.weight"},
        {"v.final.se.up.weight", "model.vision_tower.vision_tower.model.conv_exp.se.expand.weight"},
        {"mm.2.bias", "model.mm_projector.2.bias"},
        {"token_embd.weight", "model.embed_tokens.weight"},
        {"blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"},
        {"output_norm.weight", "model.norm.weight"},
        {"output.weight", "lm_head.weight"}};
    for (const auto& pair : pairs) {
      std::vector<float> wanted = checkpoint.tensors.at(pair.second).values;
      for (float& value : wanted) {
        if (type == SafetensorsType::kF16) value = F16ToF32(F32ToF16(value));
        if (type == SafetensorsType::kBF16) value = BF16ToF32(F32ToBF16(value));
      }
      INFO(pair.first);
      CHECK(model.Values(pair.first) == wanted);
    }
    // of "mobileclip_l_384"
    CHECK(*model.file.metadata.GetU32("fastvlm.vision.image_size") == 384);
    CHECK(*model.file.metadata.GetString("fastvlm.vision.resize_mode") == "pad");
    CHECK(*model.file.metadata.GetI32("fastvlm.image_token_id") == -1);
    CHECK(*model.file.metadata.GetI32Array("tinyvlm.stop_ids") == std::vector<int32_t>{2});
  }
}

TEST_CASE(
    "Apple's head: absent means tied whatever the config says, equal to the embedding is stored "
    "once",
    "[convert][apple]") {
  BranchedCheckpoint checkpoint(CheckpointLayout::kApple, Form::kInference, kThreeStages, true, 6);
  checkpoint.tensors["lm_head.weight"] = checkpoint.tensors.at("model.embed_tokens.weight");
  CHECK(Converted(checkpoint).file.Find("output.weight") == nullptr);
  checkpoint.tensors.erase("lm_head.weight");
  CHECK(Converted(checkpoint).file.Find("output.weight") == nullptr);
}

TEST_CASE("A stage of Apple's list that attends without a positional encoding gets the identity",
          "[convert][apple]") {
  BranchedCheckpoint checkpoint(CheckpointLayout::kApple, Form::kInference, kThreeStages, false, 8);
  const std::string network = "model.vision_tower.vision_tower.model.network.";
  std::map<std::string, CheckpointFiles::Tensor> renamed;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (name.starts_with(network + "4.")) continue;
    renamed[name.starts_with(network + "5.") ? network + "4." + name.substr(network.size() + 2)
                                             : name] = tensor;
  }
  checkpoint.tensors = renamed;
  const LoadedModel model = Converted(checkpoint);
  const std::vector<float> kernel = model.Values("v.stage.2.cpe.weight");
  for (size_t i = 0; i < kernel.size(); ++i) REQUIRE(kernel[i] == (i % 49 == 24 ? 1.0f : 0.0f));
  for (const float value : model.Values("v.stage.2.cpe.bias")) REQUIRE(value == 0.0f);
}

TEST_CASE("Training form: whatever is missing, of a wrong shape or not finite is named",
          "[convert][fold]") {
  for (const CheckpointLayout layout :
       {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
    const BranchedCheckpoint whole(layout, Form::kTraining, {{1, 8, 16, false}, {1, 32, 64, true}},
                                   false, 9);
    const std::string fc1 = std::string(NamesOf(layout).conv_ffn) + ".fc1.weight",
                      reduce = std::string(NamesOf(layout).se_reduce) + ".bias";
    size_t missed = 0, shaped = 0, infinite = 0;
    for (const auto& [name, tensor] : whole.tensors) {
      INFO(name);
      if (name.ends_with("head.proj")) continue;  // nobody reads it
      const bool optional = name.ends_with(".conv.bias");
      // These decide sizes: others then disagree with them.
      const bool decides = name.ends_with(fc1) || name.ends_with(reduce);
      if (!optional) {
        CheckpointFiles checkpoint = whole;
        checkpoint.tensors.erase(name);
        CHECK_CONTAINS(Refused(checkpoint), "tensor " + name + " is missing from the checkpoint");
        ++missed;
      }
      if (!decides) {
        CheckpointFiles checkpoint = whole;
        Shape shape = tensor.shape;
        shape[0] += 1;
        checkpoint.Add(name, shape);
        const std::string message = Refused(checkpoint);
        CHECK_CONTAINS(message, "tensor " + name + ": shape ");
        CHECK_CONTAINS(message, ShapeToString(shape) + " found");
        ++shaped;
      }
      {
        CheckpointFiles checkpoint = whole;
        checkpoint.tensors[name].values.back() = NAN;
        CHECK_CONTAINS(Refused(checkpoint), "tensor " + name + ": finite weights wanted, ");
        ++infinite;
      }
    }
    CHECK(missed > 80);
    CHECK(shaped > 80);
    CHECK(infinite >= missed);
  }
}

TEST_CASE(
    "Towers that FastViTHD does not have, and parts that do not fit each other, are refused by "
    "name",
    "[convert][apple]") {
  const BranchedCheckpoint whole(CheckpointLayout::kApple, Form::kInference, kThreeStages, false,
                                 10);
  const std::string tower = "model.vision_tower.vision_tower.model.", network = tower + "network.";
  const auto without = [&](const std::string& prefix) {
    CheckpointFiles checkpoint = whole;
    std::erase_if(checkpoint.tensors,
                  [&](const auto& item) { return item.first.starts_with(prefix); });
    return Refused(checkpoint);
  };
  const auto with = [&](const std::string& name, const Shape& shape) {
    CheckpointFiles checkpoint = whole;
    checkpoint.Add(name, shape);
    return Refused(checkpoint);
  };
  CHECK_CONTAINS(without(tower), "a vision tower (tensors *.stages.0.blocks.0.mlp.fc1.weight or ");
  CHECK_CONTAINS(without(network), "stages of a tower (" + tower + "network.*) wanted, none found");
  CHECK_CONTAINS(
      without(network + "2."),
      "tensors of " + network + "2 wanted, none found, though there are some of " + network + "3");
  CHECK_CONTAINS(without(network + "2.1."),
                 "tensors of " + network + "2.1 wanted, none found, though there are some of " +
                     network + "2.2");
  CHECK_CONTAINS(without(network + "5."),
                 "the blocks of a stage wanted in " + network + "5, nothing found");
  CHECK_CONTAINS(without("model.mm_projector.2."), "tensor model.mm_projector.2.weight is missing");
  CHECK_CONTAINS(with(network + "0.0.token_mixer.mixer.rbr_skip.weight", {4}),
                 "is missing from the checkpoint");
  CHECK_CONTAINS(with(network + "6.pe.weight", {96, 1, 7, 7}),
                 "the blocks of a stage wanted in " + network + "7, nothing found");
  CHECK_CONTAINS(with(tower + "patch_embed.0.rbr_conv.0.conv.weight", {4, 3, 3, 3}),
                 "patch_embed.0.rbr_conv.0.conv.weight is not part of the FastVLM");
  CHECK_CONTAINS(with("model.image_newline", {32}),
                 "tensor model.image_newline is not part of the FastVLM");
  CHECK_CONTAINS(with("model.layers.1.mlp.up_proj.weight", {64, 32}),
                 "model.layers.1.mlp.up_proj.weight is not part of the FastVLM");
  CHECK_CONTAINS(with(network + "2.0.convffn.fc1.weight", {12, 13, 1, 1}),
                 "a multiple of the 4 channels of the stage before wanted, 13 found");
  CHECK_CONTAINS(with(network + "5.0.convffn.fc1.weight", {144, 120, 1, 1}),
                 "channels of an attention stage must be a multiple of 32, 120 found");
  CHECK_CONTAINS(with(network + "5.0.convffn.fc1.weight", {144}), "shape [hidden, channels]");
  CHECK_CONTAINS(with("lm_head.weight", {47, 32}),
                 "tensor lm_head.weight: shape [48, 32] wanted, [47, 32] found");

  const BranchedCheckpoint transformers(CheckpointLayout::kTransformers, Form::kInference,
                                        kThreeStages, false, 10);
  CheckpointFiles encoded = transformers;
  encoded.Add("model.vision_tower.timm_model.stages.1.pos_emb.pos_enc.weight", {12, 1, 7, 7});
  CHECK_CONTAINS(Refused(encoded),
                 "stages.1.pos_emb: a positional encoding wanted before attention stages only");
  std::erase_if(encoded.tensors,
                [](const auto& item) { return item.first.find(".pos_emb.") != std::string::npos; });
  CHECK_CONTAINS(Refused(encoded), "stages.2.pos_emb.reparam_conv.weight is missing");
  CheckpointFiles flat = transformers;
  std::erase_if(flat.tensors, [](const auto& item) {
    return item.first.find("stages.1.downsample.") != std::string::npos;
  });
  CHECK_CONTAINS(
      Refused(flat),
      "a downsampler before every stage but the first wanted, none found before stage 1");
}

TEST_CASE("A config of either layout describes tensors with either layout's names",
          "[convert][config]") {
  for (const CheckpointLayout layout :
       {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
    const bool apple = layout == CheckpointLayout::kApple;
    CheckpointFiles checkpoint =
        BranchedCheckpoint(layout, Form::kInference, kThreeStages, true, 10);
    const std::vector<float> wanted = Converted(checkpoint).Values("v.stage.2.blk.1.ls2");
    checkpoint.config =
        BranchedCheckpoint(apple ? CheckpointLayout::kTransformers : CheckpointLayout::kApple,
                           Form::kInference, kThreeStages, true, 10)
            .config;
    const LoadedModel model = Converted(checkpoint);
    CHECK(model.Values("v.stage.2.blk.1.ls2") == wanted);
    // What only configs say is the config's: an image size in Apple's mm_vision_tower.
    CHECK(*model.file.metadata.GetU32("fastvlm.vision.image_size") == (apple ? 1024 : 384));
  }
}

TEST_CASE(
    "Checkpoints with any name, shape or config digit changed convert or are refused, and never "
    "crash",
    "[convert][hostile]") {
  const TempFolder folder;
  size_t refused = 0;
  for (const CheckpointLayout layout :
       {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
    const BranchedCheckpoint whole(layout, Form::kMixed, {{1, 8, 16, false}, {2, 32, 64, true}},
                                   true, 12);
    std::mt19937 random(13);
    const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
    for (size_t round = 0; round < 300; ++round) {
      CheckpointFiles checkpoint = whole;
      checkpoint.shards = 1 + below(2);
      for (size_t changes = 1 + below(2); changes > 0; --changes) {
        auto at = std::next(checkpoint.tensors.begin(),
                            static_cast<ptrdiff_t>(below(checkpoint.tensors.size())));
        std::string name = at->first;
        switch (below(4)) {
          case 0: {  // a part of a name goes or comes twice
            const size_t dot = name.rfind('.', below(name.size()));
            const CheckpointFiles::Tensor tensor = at->second;
            checkpoint.tensors.erase(at);
            checkpoint
                .tensors[dot == std::string::npos
                             ? "x"
                             : name.substr(0, dot) +
                                   (below(2) == 0 ? "" : name.substr(dot) + name.substr(dot))] =
                tensor;
            break;
          }
          case 1: {  // a digit of a name
            const size_t digit = name.find_first_of("0123456789", below(name.size()));
            if (digit == std::string::npos) break;
            const CheckpointFiles::Tensor tensor = at->second;
            checkpoint.tensors.erase(at);
            name[digit] = static_cast<char>('0' + below(10));
            checkpoint.tensors[name] = tensor;
            break;
          }
          case 2: {  // a dimension, 0 too, or one more or fewer
            Shape shape = at->second.shape;
            if (below(3) == 0) {
              shape.push_back(below(3));
            } else if (below(3) == 0 && !shape.empty()) {
              shape.pop_back();
            } else if (!shape.empty()) {
              shape[below(shape.size())] = below(40);
            }
            checkpoint.Add(name, shape);
            break;
          }
          default: {  // a digit of the config
            const size_t digit =
                checkpoint.config.find_first_of("0123456789", below(checkpoint.config.size()));
            if (digit != std::string::npos)
              checkpoint.config[digit] = static_cast<char>('0' + below(10));
          }
        }
      }
      INFO("layout " << static_cast<int>(layout) << ", round " << round);
      const Status status = ConvertFiles(checkpoint, folder);
      refused += status.ok() ? 0 : 1;
      CHECK(status.message().empty() == status.ok());
      CHECK(IsFile(folder.File("model.gguf")) == status.ok());
      for (const auto& entry : std::filesystem::directory_iterator(folder.File(".")))
        std::filesystem::remove(entry.path());
    }
  }
  CHECK(refused > 400);
}

TEST_CASE("Configs that disagree with the tensors' shapes: both are named", "[convert][config]") {
  CheckpointFiles apple =
      BranchedCheckpoint(CheckpointLayout::kApple, Form::kInference, kThreeStages, false, 11);
  apple.Edit("\"vision_config\": {}", "\"mm_hidden_size\": 3072");
  CHECK_CONTAINS(
      Refused(apple),
      "config.json: mm_hidden_size is 3072, the tensors show a last stage that gives 192 features");
  const auto transformers = [](const std::string& args) {
    CheckpointFiles checkpoint = BranchedCheckpoint(CheckpointLayout::kTransformers,
                                                    Form::kInference, kThreeStages, false, 11);
    checkpoint.Edit("\"fastvit_mci3\"", "\"fastvit_mci3\", \"model_args\": {" + args + "}");
    return checkpoint;
  };
  CHECK_CONTAINS(Refused(transformers(R"("layers": [1, 2, 2])")),
                 "model_args.layers gives stage 1 2 blocks, the tensors show 3");
  CHECK_CONTAINS(Refused(transformers(R"("layers": [1, 3])")),
                 "model_args.layers names 2 stages, the tensors show 3");
  CHECK_CONTAINS(Refused(transformers(R"("embed_dims": [4, 16, 96])")),
                 "fc1.weight: shape [12, 16] wanted (config.json: "
                 "vision_config.model_args.embed_dims and mlp_ratios), [12, 12, 1, 1] found");
  CHECK_CONTAINS(Refused(transformers(R"("mlp_ratios": [2.25, 1, 2])")),
                 "fc1.weight: shape [192, 96] wanted");
  CHECK_CONTAINS(Refused(transformers(R"("token_mixers": ["repmixer", "attention", "attention"])")),
                 "token_mixers says that stage 1 attends");
  const LoadedModel model = Converted(transformers(
      R"("inference_mode": false, "layers": [1, 3, 2], "embed_dims": [4, 12, 96, 7], "mlp_ratios": [2.25, 1, 1.5, 4],
         "token_mixers": ["repmixer", "repmixer", "attention"])"));
  CHECK(*model.file.metadata.GetU32("fastvlm.vision.image_size") == 1024);
}

}  // namespace
}  // namespace tinyvlm
