// A model that people trained and published: stories260K (a llama2.c checkpoint) becomes a `llama`
// GGUF file and must tell its story to the letter.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "backend/run_to_end.h"
#include "base/byte_reader.h"
#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "cli/commands.h"
#include "engine/model_file.h"
#include "engine/session.h"
#include "formats/gguf_writer.h"
#include "golden/finish_answer.h"
#include "relative_difference.h"
#include "shared_data.h"
#include "temp_folder.h"
#include "tensor/quant.h"

namespace tinyvlm {
namespace {

constexpr int32_t kBos = 1;
constexpr size_t kSteps = 200;

std::string ReadAll(const std::filesystem::path& path) {
  auto text = ReadTextFile(path.string(), 16 << 20);
  INFO(text.status().message());
  REQUIRE(text.ok());
  return std::move(text).value();
}

// The bytes that a piece stands for, as llama2.c prints it after `before`.
std::string PieceText(std::string_view piece, int32_t before) {
  if (piece.size() == 6 && piece.starts_with("<0x"))
    return std::string(1,
                       static_cast<char>(std::stoi(std::string(piece.substr(3, 2)), nullptr, 16)));
  if (before == kBos && piece.starts_with(" ")) piece.remove_prefix(1);
  return std::string(piece);
}

// A llama2.c checkpoint: seven i32 (width, ffn, layers, heads, kv heads, vocabulary, positions),
// then f32 matrices, each for all layers together; the head is the embedding where the vocabulary
// is positive. Its rows of q and k are ordered for pairs (2i, 2i + 1), as llama GGUF files have
// them.
class Checkpoint {
 public:
  Checkpoint(const std::filesystem::path& model, const std::filesystem::path& tokenizer)
      : bytes_(ReadAll(model)) {
    std::memcpy(header_, bytes_.data(), sizeof(header_));
    REQUIRE(header_[5] > 0);
    const std::string tokens = ReadAll(tokenizer);
    ByteReader reader({reinterpret_cast<const uint8_t*>(tokens.data()), tokens.size()});
    uint32_t longest = 0;
    REQUIRE(reader.Read(&longest));
    for (size_t i = 0; i < vocabulary(); ++i) {
      float score = 0;
      uint32_t length = 0;
      std::span<const uint8_t> text;
      REQUIRE((reader.Read(&score) && reader.Read(&length) && reader.ReadBytes(length, &text)));
      scores.push_back(score);
      pieces.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    }
  }

  size_t width() const { return header_[0]; }
  size_t ffn() const { return header_[1]; }
  size_t layers() const { return header_[2]; }
  size_t heads() const { return header_[3]; }
  size_t kv_heads() const { return header_[4]; }
  size_t vocabulary() const { return header_[5]; }
  size_t positions() const { return header_[6]; }

  // Writes the file; matrices in `type` where their rows are whole blocks, else in F16. `rounded`:
  // the same values as F32.
  void Write(const std::string& path, DType type, bool rounded) const {
    GgufWriter writer;
    writer.AddString("general.architecture", "llama");
    writer.AddString("general.name", "stories260K");
    writer.AddU32("llama.block_count", static_cast<uint32_t>(layers()));
    writer.AddU32("llama.context_length", static_cast<uint32_t>(positions()));
    writer.AddU32("llama.embedding_length", static_cast<uint32_t>(width()));
    writer.AddU32("llama.feed_forward_length", static_cast<uint32_t>(ffn()));
    writer.AddU32("llama.attention.head_count", static_cast<uint32_t>(heads()));
    writer.AddU32("llama.attention.head_count_kv", static_cast<uint32_t>(kv_heads()));
    writer.AddU32("llama.rope.dimension_count", static_cast<uint32_t>(width() / heads()));
    writer.AddF32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    AddTokenizer(writer);

    const size_t kv = width() / heads() * kv_heads(), w = width(), f = ffn(), n = layers();
    struct Source {
      std::string name;
      size_t rows, cols;
      const float* values;
    };
    std::vector<Source> sources;
    const float* at = reinterpret_cast<const float*>(bytes_.data() + sizeof(header_));
    // One tensor of every layer: [layers][rows][cols].
    const auto take = [&](const char* name, size_t rows, size_t cols) {
      for (size_t layer = 0; layer < n; ++layer, at += rows * cols)
        sources.push_back({Format("blk.%zu.%s.weight", layer, name), rows, cols, at});
    };
    sources.push_back({"token_embd.weight", vocabulary(), w, at});
    at += vocabulary() * w;
    take("attn_norm", 1, w);
    take("attn_q", w, w);
    take("attn_k", kv, w);
    take("attn_v", kv, w);
    take("attn_output", w, w);
    take("ffn_norm", 1, w);
    take("ffn_gate", f, w);
    take("ffn_down", w, f);
    take("ffn_up", f, w);
    sources.push_back({"output_norm.weight", 1, w, at});
    REQUIRE(reinterpret_cast<const char*>(at + w) <= bytes_.data() + bytes_.size());

    std::vector<std::vector<uint8_t>> tensors;
    for (const Source& source : sources) {
      const bool vector = source.rows == 1;
      const DType stored = vector                                                 ? DType::kF32
                           : source.cols % GetDTypeInfo(type).block_elements == 0 ? type
                                                                                  : DType::kF16;
      const size_t count = source.rows * source.cols;
      std::vector<uint8_t> data(count / GetDTypeInfo(stored).block_elements *
                                GetDTypeInfo(stored).block_bytes);
      QuantizeRow(stored, source.values, count, data.data());
      if (rounded) {
        std::vector<float> values(count);
        DequantizeRow(stored, data.data(), count, values.data());
        data.resize(count * sizeof(float));
        std::memcpy(data.data(), values.data(), data.size());
      }
      tensors.push_back(std::move(data));
      REQUIRE(writer
                  .AddTensor(source.name, rounded ? DType::kF32 : stored,
                             vector ? Shape{source.cols} : Shape{source.rows, source.cols})
                  .ok());
    }
    REQUIRE(writer.Begin(path).ok());
    for (const auto& tensor : tensors) REQUIRE(writer.Append(tensor.data(), tensor.size()).ok());
    REQUIRE(writer.Finish().ok());
  }

  // as llama2.c stores them: a space where SentencePiece has U+2581
  std::vector<std::string> pieces;
  std::vector<float> scores;

 private:
  // As llama.cpp's converter writes a SentencePiece vocabulary.
  void AddTokenizer(GgufWriter& writer) const {
    std::vector<std::string> tokens;
    std::vector<int32_t> types;
    for (size_t i = 0; i < pieces.size(); ++i) {
      std::string token = pieces[i];
      if (token == "\n<s>\n") token = "<s>";
      if (token == "\n</s>\n") token = "</s>";
      for (size_t at; (at = token.find(' ')) != std::string::npos;)
        token.replace(at, 1, "\xe2\x96\x81");
      types.push_back(i == 0                                          ? 2
                      : i < 3                                         ? 3
                      : token.size() == 6 && token.starts_with("<0x") ? 6
                                                                      : 1);
      tokens.push_back(std::move(token));
    }
    writer.AddString("tokenizer.ggml.model", "llama");
    writer.AddStringArray("tokenizer.ggml.tokens", tokens);
    writer.AddF32Array("tokenizer.ggml.scores", scores);
    writer.AddI32Array("tokenizer.ggml.token_type", types);
    writer.AddU32("tokenizer.ggml.bos_token_id", 1);
    writer.AddU32("tokenizer.ggml.eos_token_id", 2);
    writer.AddU32("tokenizer.ggml.unknown_token_id", 0);
    writer.AddBool("tokenizer.ggml.add_bos_token", true);
  }

  std::string bytes_;
  uint32_t header_[7];
};

struct Story {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<float> logits;  // of the first step
};

// The likeliest token kSteps times, from the beginning-of-text token; fewer where the story ends,
// which this model says with the same token.
Story Tell(Model& model, const std::vector<std::string>& pieces, Compute compute) {
  const auto decoder = model.backend().CreateDecoder({kSteps, compute, nullptr});
  REQUIRE(decoder.ok());
  Story story;
  int32_t id = kBos;
  for (size_t step = 0; step < kSteps; ++step) {
    const DecoderRow row{.token = id};
    REQUIRE((*decoder)->Begin({&row, 1}).ok());
    REQUIRE(RunToEnd(**decoder).ok());
    const float* const logits = (*decoder)->ReadLogits().value().data();
    REQUIRE(std::all_of(logits, logits + pieces.size(), [](float v) { return std::isfinite(v); }));
    if (step == 0) story.logits.assign(logits, logits + pieces.size());
    const auto next =
        static_cast<int32_t>(std::max_element(logits, logits + pieces.size()) - logits);
    if (next == kBos) break;
    story.text += PieceText(pieces[static_cast<size_t>(next)], id);
    story.ids.push_back(next);
    id = next;
  }
  return story;
}

std::shared_ptr<Model> WriteAndLoad(const Checkpoint& checkpoint, DType type, bool rounded,
                                    ModelUse use = ModelUse::kIds) {
  const TempFolder temp;
  const std::string path = temp.File("stories260K.gguf");
  checkpoint.Write(path, type, rounded);
  const auto model = LoadModel(path, 1, use);  // rows of 64 are too little work to share
  INFO(model.status().message());
  REQUIRE(model.ok());
  CHECK((*model)->architecture() == "llama");
  return *model;
}

TEST_CASE("stories260K as a llama file: the first 200 greedy tokens are llama2.c's",
          "[golden][third_party]") {
  const auto folder = SharedPath("data/weights/stories260K");
  const Checkpoint checkpoint(folder / "stories260K.bin", folder / "tok512.bin");
  std::string wanted = ReadAll(folder / "expected_greedy_200.txt");
  while (wanted.ends_with('\n')) wanted.pop_back();
  const auto model = WriteAndLoad(checkpoint, DType::kF32, false);
  CHECK(Tell(*model, checkpoint.pieces, Compute::kF32).text == wanted);
  // No weights are quantised, so this is f32 too.
  CHECK(Tell(*model, checkpoint.pieces, Compute::kFast).text == wanted);
}

TEST_CASE(
    "stories260K, asked with the story's beginning, tells the rest, with the tokenizer of the file",
    "[golden][third_party]") {
  const auto folder = SharedPath("data/weights/stories260K");
  const Checkpoint checkpoint(folder / "stories260K.bin", folder / "tok512.bin");
  const std::string story = ReadAll(folder / "expected_greedy_200.txt");
  const auto model = WriteAndLoad(checkpoint, DType::kF32, false, ModelUse::kAsk);
  SessionOptions options;
  options.context = 256;
  options.compute = Compute::kF32;
  const auto session = Session::Create(model, options);
  REQUIRE(session.ok());
  AskOptions ask;
  const std::string prompt = "Once upon a time";
  // a model that nobody taught turns goes on where its prompt ends
  ask.messages = {{Message::Role::kUser, prompt, {}}};
  ask.max_tokens = 150;
  AskAndFinish(**session, ask);
  CHECK((*session)->finish_reason() == FinishReason::kLength);
  CHECK(prompt + std::string((*session)->text()) ==
        story.substr(0, prompt.size() + (*session)->text().size()));
  CHECK((*session)->text().size() > 200);
}

TEST_CASE(
    "stories260K in quantised types: the file's values decide, and 8-bit activations stay close to "
    "them",
    "[golden][third_party]") {
  const auto folder = SharedPath("data/weights/stories260K");
  const Checkpoint checkpoint(folder / "stories260K.bin", folder / "tok512.bin");
  for (const DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_1, DType::kQ5_0,
                           DType::kQ4_1, DType::kQ4_0}) {
    CAPTURE(GetDTypeInfo(type).name);
    const auto model = WriteAndLoad(checkpoint, type, false),
               rounded = WriteAndLoad(checkpoint, type, true);
    const Story exact = Tell(*model, checkpoint.pieces, Compute::kF32),
                wanted = Tell(*rounded, checkpoint.pieces, Compute::kF32);
    CHECK(exact.ids == wanted.ids);
    CHECK(exact.logits == wanted.logits);
    const Story fast = Tell(*model, checkpoint.pieces, Compute::kFast);
    CHECK(fast.ids.size() > kSteps / 2);
    const double difference = RelativeDifference(fast.logits, wanted.logits);
    std::printf("stories260K %s, fast: first logits within %.2g of f32; \"%.50s\"\n",
                GetDTypeInfo(type).name, difference, fast.text.c_str());
    CHECK(difference <= 0.05);
  }
}

}  // namespace
}  // namespace tinyvlm
