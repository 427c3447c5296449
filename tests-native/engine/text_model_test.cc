// Models that read text only, in files of other writers: whatever the types, the order and the
// architecture, the logits are those of the stored values.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backend/run_to_end.h"
#include "catch_amalgamated.hpp"
#include "engine/fidelity.h"
#include "engine/model_loader.h"
#include "engine/session.h"
#include "engine/text_model_file.h"
#include "relative_difference.h"

namespace tinyvlm {
namespace {

// Feeds pieces of `piece` bytes; `between` is called after each.
Result<std::shared_ptr<Model>> Load(const std::vector<uint8_t>& bytes, size_t piece = 1 << 20,
                                    const std::function<void(Model&)>& between = nullptr) {
  ModelLoader loader(1);
  for (size_t offset = 0; offset < bytes.size();) {
    const size_t count = std::min(piece, bytes.size() - offset);
    TVLM_ASSIGN_OR_RETURN(uint8_t* const place, loader.Reserve(count));
    std::memcpy(place, bytes.data() + offset, count);
    TVLM_RETURN_IF_ERROR(loader.Commit(count));
    offset += count;
    if (between != nullptr && loader.model() != nullptr) between(*loader.model());
  }
  TVLM_RETURN_IF_ERROR(loader.End());
  CHECK(loader.state() == ModelLoader::State::kComplete);
  CHECK(loader.file_bytes() == bytes.size());
  return loader.model();
}

std::shared_ptr<Model> MustLoad(const std::vector<uint8_t>& bytes) {
  const auto model = Load(bytes);
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

std::string Refused(const TextModel& model, ErrorCode code = ErrorCode::kUnsupported) {
  const auto loaded = Load(Write(model));
  REQUIRE_FALSE(loaded.ok());
  CHECK(ErrorCodeName(loaded.status().code()) == std::string(ErrorCodeName(code)));
  return loaded.status().message();
}

// The logits after a prompt of a few rows and three more steps.
std::vector<float> Logits(Model& model, Compute compute = Compute::kF32) {
  const auto decoder = model.backend().CreateDecoder({16, compute, nullptr});
  REQUIRE(decoder.ok());
  std::vector<float> logits;
  std::vector<DecoderRow> rows;
  for (const int32_t id : {5, 299, 17, 0, 123}) rows.push_back(DecoderRow{.token = id});
  for (int step = 0; step < 4; ++step) {
    REQUIRE((*decoder)->Begin(rows).ok());
    REQUIRE(RunToEnd(**decoder).ok());
    const auto last = (*decoder)->ReadLogits();
    REQUIRE(last.ok());
    REQUIRE(last->size() == kVocabulary);
    logits.insert(logits.end(), last->begin(), last->end());
    rows.assign(1, DecoderRow{.token = 40 * step + 3});
  }
  REQUIRE(std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }));
  return logits;
}

const std::vector<DType> kAllTypes(std::begin(kMatrixTypes), std::end(kMatrixTypes));

TEST_CASE(
    "A text model's logits are those of its stored values, bit for bit, whatever the types of its "
    "tensors",
    "[engine][text_model]") {
  std::vector<std::vector<DType>> mixes{kAllTypes};
  for (const DType type : kAllTypes) mixes.push_back({type});
  for (const auto& types : mixes) {
    CAPTURE(types.size(), GetDTypeInfo(types[0]).name);
    const TextModel model = RandomModel(types);
    const auto loaded = MustLoad(Write(model)), widened = MustLoad(Write(ToF32(model)));
    const std::vector<float> found = Logits(*loaded), wanted = Logits(*widened);
    CHECK(SameBits(found.data(), wanted.data(), wanted.size()));
    CHECK_FALSE(loaded->has_vision());
    CHECK(loaded->architecture() == "qwen2");
    CHECK(loaded->image_tokens() == 0);
    // 8-bit activations: a block's error is at most half a step of 1/127 of its largest value, and
    // 2 layers add up few of them.
    CHECK(RelativeDifference(Logits(*loaded, Compute::kFast), wanted) < 0.05);
  }
}

TEST_CASE("A text model's norms and biases may be quantised too", "[engine][text_model]") {
  for (const DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_1}) {
    CAPTURE(GetDTypeInfo(type).name);
    const TextModel model = RandomModel({DType::kQ4_K}, true, false, type);
    const std::vector<float> found = Logits(*MustLoad(Write(model))),
                             wanted = Logits(*MustLoad(Write(ToF32(model))));
    CHECK(SameBits(found.data(), wanted.data(), wanted.size()));
  }
}

TEST_CASE("A llama file's interleaved rows of q and k are put in order, biases included",
          "[engine][text_model]") {
  for (const bool biases : {true, false}) {
    CAPTURE(biases);
    // Without biases only llama loads: compare with a qwen2 model whose biases are zero.
    TextModel qwen2 = RandomModel(kAllTypes);
    TextModel llama = ToLlama(qwen2);
    if (!biases) {
      for (FileTensor& tensor : qwen2.tensors) {
        if (tensor.name.ends_with(".bias"))
          std::fill(tensor.bytes.begin(), tensor.bytes.end(), uint8_t{0});
      }
      std::erase_if(llama.tensors,
                    [](const FileTensor& tensor) { return tensor.name.ends_with(".bias"); });
    }
    const std::vector<float> wanted = Logits(*MustLoad(Write(qwen2))),
                             found = Logits(*MustLoad(Write(llama)));
    CHECK(SameBits(found.data(), wanted.data(), wanted.size()));
    // The order matters: rows left as they are give something else.
    TextModel untouched = qwen2;
    untouched.architecture = "llama";
    CHECK(RelativeDifference(Logits(*MustLoad(Write(untouched))), wanted) > 1e-3);
  }
}

TEST_CASE(
    "A text model runs as soon as what it needs has come, in whatever order the tensors stand",
    "[engine][text_model]") {
  const TextModel model = ToLlama(RandomModel(kAllTypes));
  const std::vector<float> wanted = Logits(*MustLoad(Write(model)));
  for (const uint32_t seed : {1, 2, 3}) {
    TextModel shuffled = model;
    if (seed == 1) {
      std::reverse(shuffled.tensors.begin(), shuffled.tensors.end());  // output.weight first
    } else {
      std::shuffle(shuffled.tensors.begin(), shuffled.tensors.end(), std::mt19937(seed));
    }
    std::unique_ptr<Decoder> decoder;
    std::vector<DecoderRow> rows;
    for (const int32_t id : {5, 299, 17, 0, 123}) rows.push_back(DecoderRow{.token = id});
    size_t waited = 0;
    const auto loaded = Load(Write(shuffled), 4099, [&](Model& arriving) {
      if (decoder == nullptr) {
        decoder = arriving.backend().CreateDecoder({16, Compute::kF32, nullptr}).value();
        REQUIRE(decoder->Begin(rows).ok());
      }
      waited += decoder->Advance(INFINITY).value() == RunState::kWaiting;
    });
    REQUIRE(loaded.ok());
    CHECK(waited > 10);
    REQUIRE(RunToEnd(*decoder).ok());
    CHECK(SameBits(decoder->ReadLogits().value().data(), wanted.data(), kVocabulary));
  }
}

TEST_CASE(
    "A text model's file is whole with and without the padding behind its last tensor, not without "
    "its last byte",
    "[engine][text_model]") {
  TextModel model = RandomModel({DType::kQ6_K});
  // the last one is then token_embd.weight, 300 * 210 bytes
  std::rotate(model.tensors.begin(), model.tensors.begin() + 1, model.tensors.end());
  std::vector<uint8_t> bytes = Write(model);
  REQUIRE(bytes.size() % 32 != 0);
  CHECK(Load(bytes).ok());
  std::vector<uint8_t> padded = bytes;
  while (padded.size() % 32 != 0) padded.push_back(0);
  CHECK(Load(padded).ok());
  padded.push_back(0);
  CHECK_THAT(Load(padded).status().message(), Catch::Matchers::ContainsSubstring("longer"));
  bytes.pop_back();
  CHECK_THAT(Load(bytes).status().message(), Catch::Matchers::ContainsSubstring("truncated"));
}

TEST_CASE("Version 2, a tied head, absent kv heads and an absent theta", "[engine][text_model]") {
  const TextModel model = RandomModel({DType::kQ8_0}, true, /*tied=*/true);
  const std::vector<float> wanted = Logits(*MustLoad(Write(model)));
  const std::vector<float> version2 = Logits(*MustLoad(Write(model, 2)));
  CHECK(SameBits(version2.data(), wanted.data(), wanted.size()));
  TextModel untied = model;
  untied.tensors.push_back(untied.tensors[0]);
  untied.tensors.back().name = "output.weight";
  const std::vector<float> copied = Logits(*MustLoad(Write(untied)));
  CHECK(SameBits(copied.data(), wanted.data(), wanted.size()));
  TextModel no_theta = model;
  no_theta.theta = false;  // 10000, which is what the file states
  const std::vector<float> assumed = Logits(*MustLoad(Write(no_theta)));
  CHECK(SameBits(assumed.data(), wanted.data(), wanted.size()));
  TextModel no_kv = model;
  no_kv.kv_heads = false;  // then as many as heads: k is too small for that
  CHECK_THAT(Refused(no_kv, ErrorCode::kInvalidFile),
             Catch::Matchers::ContainsSubstring(
                 "tensor blk.0.attn_k.weight: shape [256, 256] wanted, [128, 256] found"));
}

TEST_CASE("Keys that change what a text model computes are named errors, harmless ones are not",
          "[engine][text_model]") {
  const TextModel plain = ToLlama(RandomModel({DType::kF16}));
  const auto with = [&](std::function<void(GgufBytes&)> key) {
    TextModel model = plain;
    model.keys.push_back(std::move(key));
    return model;
  };
  const auto u32 = [&](const char* key, uint32_t value) {
    return with([=](GgufBytes& gguf) { gguf.Key(key, GgufType::kU32).U32(value); });
  };
  const auto f32 = [&](const char* key, float value) {
    return with([=](GgufBytes& gguf) { gguf.Key(key, GgufType::kF32).F32(value); });
  };
  const auto text = [&](const char* key, const char* value) {
    return with([=](GgufBytes& gguf) { gguf.Key(key, GgufType::kString).String(value); });
  };
  const auto boolean = [&](const char* key, bool value) {
    return with([=](GgufBytes& gguf) { gguf.Key(key, GgufType::kBool).U8(value); });
  };
#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))
  CHECK_CONTAINS(
      Refused(u32("llama.rope.dimension_count", 32)),
      "llama.rope.dimension_count: 64 wanted, 32 found: this engine does not run RoPE over a part");
  CHECK_CONTAINS(Refused(u32("llama.attention.key_length", 128)),
                 "llama.attention.key_length: 64 wanted, 128 found");
  CHECK_CONTAINS(Refused(u32("llama.attention.value_length", 128)),
                 "llama.attention.value_length: 64 wanted, 128 found");
  CHECK_CONTAINS(
      Refused(u32("llama.expert_count", 8)),
      "llama.expert_count: 0 wanted, 8 found: this engine does not run mixtures of experts");
  CHECK_CONTAINS(Refused(u32("llama.pooling_type", 1)), "llama.pooling_type: 0 wanted, 1 found");
  CHECK_CONTAINS(Refused(u32("llama.attention.sliding_window", 64)),
                 "llama.attention.sliding_window: 0 wanted, 64 found");
  CHECK_CONTAINS(Refused(boolean("llama.attention.causal", false)),
                 "llama.attention.causal: true wanted, false found");
  CHECK_CONTAINS(Refused(text("llama.rope.scaling.type", "yarn")),
                 "llama.rope.scaling.type: RoPE without scaling wanted, \"yarn\"");
  CHECK_CONTAINS(Refused(f32("llama.rope.scaling.factor", 4)), "\"linear\" with factor 4");
  CHECK_CONTAINS(Refused(f32("llama.rope.scale_linear", 2)), "\"linear\" with factor 2");
  CHECK_CONTAINS(Refused(f32("llama.rope.scaling.attn_factor", 1.5f)), "attention factor 1.5");
  CHECK_CONTAINS(Refused(f32("llama.logit_scale", 0.5f)),
                 "llama.logit_scale: this engine does not know the key");
  CHECK_CONTAINS(Refused(text("llama.tensor_data_layout", "mystery")), "llama.tensor_data_layout");
  CHECK_CONTAINS(Refused(text("general.type", "adapter")),
                 "general.type: \"model\" wanted, \"adapter\" found");
  CHECK_CONTAINS(
      Refused(with([](GgufBytes& gguf) { gguf.Key("split.count", GgufType::kU32).U32(3); })),
      "one of 3 parts found");
  CHECK_CONTAINS(Refused(text("tokenizer.ggml.model", "bert")), "\"bert\" found");
  TextModel other = plain;
  other.architecture = "gemma2";
  CHECK_CONTAINS(Refused(other), "\"gemma2\" found");

  for (const TextModel& model :
       {u32("llama.rope.dimension_count", 64), u32("llama.vocab_size", 300),
        u32("llama.expert_count", 0), u32("llama.attention.sliding_window", 128),
        u32("llama.attention.key_length", 64), text("llama.rope.scaling.type", "none"),
        f32("llama.rope.scaling.factor", 1), boolean("llama.attention.causal", true),
        text("llama.tensor_data_layout", "Meta AI original pth"), text("general.type", "model"),
        u32("quantize.imatrix.chunks_count", 128)}) {
    const auto loaded = Load(Write(model));
    INFO(loaded.status().message());
    CHECK(loaded.ok());
  }
}

TEST_CASE("Tensors that a text model cannot have are named errors, and so are missing ones",
          "[engine][text_model]") {
  TextModel model = ToLlama(RandomModel({DType::kF16}));
  std::mt19937 random(1);
  TextModel scaled = model;
  scaled.tensors.push_back(RandomTensor("rope_freqs.weight", 32, 1, DType::kF32, random));
  CHECK_CONTAINS(Refused(scaled), "tensor rope_freqs.weight is not one of the model");
  TextModel normed = model;
  normed.tensors.insert(normed.tensors.begin(),
                        RandomTensor("blk.1.attn_q_norm.weight", 1, kHeadDim, DType::kF32, random));
  CHECK_CONTAINS(Refused(normed), "tensor blk.1.attn_q_norm.weight is not one of the model");
  TextModel missing = model;
  std::erase_if(missing.tensors,
                [](const FileTensor& tensor) { return tensor.name == "blk.1.ffn_up.weight"; });
  CHECK_CONTAINS(Refused(missing, ErrorCode::kNotFound), "tensor blk.1.ffn_up.weight is missing");
  TextModel without_bias = RandomModel({DType::kF16}, /*biases=*/false);  // qwen2 always has them
  CHECK_CONTAINS(Refused(without_bias, ErrorCode::kNotFound),
                 "tensor blk.0.attn_q.bias is missing");
}

TEST_CASE("A text model that is asked about an image says that it reads text only",
          "[engine][text_model]") {
  const auto model = MustLoad(Write(RandomModel({DType::kQ4_K})));
  SessionOptions options;
  options.context = 64;
  const auto session = Session::Create(model, options);
  REQUIRE(session.ok());
  CHECK((*session)->memory_bytes() > 0);
  const uint8_t pixel[3] = {1, 2, 3};
  const Status added = (*session)->AddImage(ImageView{pixel, 1, 1, 3, 3}, false).status();
  CHECK(added.code() == ErrorCode::kUnsupported);
  CHECK_CONTAINS(added.message(), "this model reads text only");
}

TEST_CASE("A text model is compared by cases without images", "[engine][text_model]") {
  const auto model = MustLoad(Write(RandomModel({DType::kQ4_K})));
  for (const uint64_t index : {0, 1}) {
    const TraceCase input = MakeRandomCase(*model, 4, index);
    CHECK(input.pixels.empty());
    CHECK(input.prompt.size() == 32);
    CHECK(input.input == input.prompt);
  }
  const uint8_t pixel[3] = {1, 2, 3};
  const Status asked = MakeQuestionCase(*model, ImageView{pixel, 1, 1, 3, 3}, "What?").status();
  CHECK(asked.code() == ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tinyvlm
