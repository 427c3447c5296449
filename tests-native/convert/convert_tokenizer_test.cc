#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

// The bytes of a SentencePiece model (protobuf) that holds just these pieces: field 1 of the model,
// with text (1), score (2) and type (3).
std::string SentencePieceBytes(const std::vector<std::pair<std::string, int>>& pieces) {
  std::string bytes;
  float score = 0;
  for (const auto& [text, type] : pieces) {
    std::string piece = "\x0a";
    piece += static_cast<char>(text.size());
    piece += text;
    piece += '\x15';
    piece.append(reinterpret_cast<const char*>(&score), sizeof(score));
    piece += '\x18';
    piece += static_cast<char>(type);
    bytes += '\x0a';
    bytes += static_cast<char>(piece.size());
    bytes += piece;
    score -= 1;
  }
  // Trainer: BPE (field 3 of field 2), unk, bos, eos, pad ids (40..43): 0, -1, -1, -1.
  std::string trainer("\x18\x02\xc0\x02", 4);
  trainer += '\0';
  for (const char* tag : {"\xc8\x02", "\xd0\x02", "\xd8\x02"}) {
    trainer += tag;
    trainer.append(9, '\xff');
    trainer += '\x01';
  }
  bytes += '\x12';
  bytes += static_cast<char>(trainer.size());
  bytes += trainer;
  // Normaliser: no dummy prefix (field 3 of field 3).
  return bytes + std::string("\x1a\x02\x18\x00", 4);
}

const std::vector<std::pair<std::string, int>> kPieces{
    {"<unk>", 2}, {"<|endoftext|>", 3}, {"<|im_start|>", 3}, {"<|im_end|>", 3}, {"a", 1}, {"b", 1},
    {"ab", 1}};

struct Folder {
  explicit Folder(const std::string& proto) {
    TinyCheckpoint().Write(folder);
    if (!proto.empty()) WriteText(folder.File("tokenizer.model"), proto);
  }
  Status Run(std::optional<ChatStyle> chat_style = std::nullopt) const {
    ConvertOptions options;
    options.chat_style = chat_style;
    options.checkpoint = folder.File(".");
    options.output = folder.File("model.gguf");
    return Convert(options, {});
  }
  TempFolder folder;
};

TEST_CASE("The tokenizer's keys, the model byte for byte, and the ids that end an answer",
          "[convert][tokenizer]") {
  const std::string proto = SentencePieceBytes(kPieces);
  const Folder folder(proto);
  WriteText(
      folder.folder.File("tokenizer_config.json"),
      R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "eos_token": {"content": "<|im_end|>"}, "pad_token": "<|endoftext|>",
                "chat_template": "x <|im_start|> y <|im_end|>"})");
  const Status status = folder.Run();
  INFO(status.message());
  REQUIRE(status.ok());
  const LoadedModel model = LoadModelFile(folder.folder.File("model.gguf"));
  const Metadata& meta = model.file.metadata;
  CHECK(*meta.GetString("tokenizer.ggml.model") == "llama");
  CHECK(*meta.GetStringArray("tokenizer.ggml.tokens") ==
        std::vector<std::string_view>{"<unk>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "a",
                                      "b", "ab"});
  CHECK(*meta.GetI32Array("tokenizer.ggml.token_type") ==
        std::vector<int32_t>{2, 3, 3, 3, 1, 1, 1});
  CHECK((*meta.GetF32Array("tokenizer.ggml.scores"))[6] == -6.0f);
  CHECK(*meta.GetU32("tokenizer.ggml.eos_token_id") == 3);
  CHECK(*meta.GetU32("tokenizer.ggml.padding_token_id") == 1);
  CHECK(meta.Find("tokenizer.ggml.bos_token_id") == nullptr);
  CHECK_FALSE(*meta.GetBool("tokenizer.ggml.add_bos_token"));
  CHECK_FALSE(*meta.GetBool("tokenizer.ggml.add_space_prefix"));
  CHECK(*meta.GetString("tokenizer.chat_template") == "x <|im_start|> y <|im_end|>");
  CHECK(*meta.GetString("fastvlm.chat_style") == "qwen_2");
  // the config's first
  CHECK(*meta.GetI32Array("tinyvlm.stop_ids") == std::vector<int32_t>{2, 3, 1});
  const auto kept = *meta.GetU8Array("tinyvlm.sentencepiece_model");
  REQUIRE(kept.size() == proto.size());
  CHECK(std::memcmp(kept.data(), proto.data(), proto.size()) == 0);
}

TEST_CASE("The chat template is found in each of its places", "[convert][tokenizer]") {
  const auto style = [](const std::string& file, const std::string& text) {
    const Folder folder(
        SentencePieceBytes({{"<unk>", 2}, {"</s>", 3}, {"<|im_start|>", 3}, {"<|im_end|>", 3}}));
    WriteText(folder.folder.File(file), text);
    const Status status = folder.Run();
    if (!status.ok()) return status.message();
    return *LoadModelFile(folder.folder.File("model.gguf"))
                .file.metadata.GetString("fastvlm.chat_style");
  };
  CHECK(style("unrelated", "") == "qwen_2");
  CHECK(style("chat_template.jinja", "USER: x ASSISTANT:") == "v1");
  CHECK(style("chat_template.json", R"({"chat_template": "USER: x ASSISTANT:"})") == "v1");
  CHECK(style("tokenizer_config.json", R"({"chat_template": "USER: x ASSISTANT:"})") == "v1");
  CHECK(style("tokenizer_config.json",
              R"({"chat_template": [{"name": "default", "template": "USER: x ASSISTANT:"}]})") ==
        "v1");
  CHECK(style("chat_template.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}") ==
        "plain");
  CHECK_CONTAINS(style("chat_template.jinja", "{{ bos_token }}[INST] x\nmore"),
                 "found one that begins \"{{ bos_token }}[INST] x\"; --chat-style qwen_2, v1 or "
                 "plain names the one to use");
  CHECK_CONTAINS(style("tokenizer_config.json", R"({"chat_template": []})"),
                 "one named \"default\" wanted");
  CHECK_CONTAINS(style("tokenizer_config.json", "{"), "tokenizer_config.json: JSON");
}

TEST_CASE("Without a template the vocabulary decides, and --chat-style decides always",
          "[convert][tokenizer]") {
  const auto style = [](const std::vector<std::pair<std::string, int>>& pieces,
                        std::optional<ChatStyle> named) {
    const Folder folder(SentencePieceBytes(pieces));
    const Status status = folder.Run(named);
    if (!status.ok()) return status.message();
    return *LoadModelFile(folder.folder.File("model.gguf"))
                .file.metadata.GetString("fastvlm.chat_style");
  };
  const std::vector<std::pair<std::string, int>> llama{
      {"<unk>", 2}, {"<s>", 3}, {"</s>", 3}, {"a", 1}},
      bare{{"<unk>", 2}, {"a", 1}};
  CHECK(style(kPieces, std::nullopt) == "qwen_2");
  CHECK(style(llama, std::nullopt) == "v1");
  CHECK_CONTAINS(style(bare, std::nullopt),
                 "a chat template, or control tokens <|im_start|> and <|im_end|>, wanted, none "
                 "found; --chat-style");
  CHECK(style(bare, ChatStyle::kPlain) == "plain");
  CHECK(style(llama, ChatStyle::kPlain) == "plain");
  CHECK_CONTAINS(
      style(llama, ChatStyle::kQwen2),
      "chat style qwen_2 needs the control token <|im_start|>, which the tokenizer does not have");
  const Folder refused(SentencePieceBytes(llama));
  WriteText(refused.folder.File("chat_template.jinja"), "[INST]");
  CHECK_FALSE(refused.Run().ok());
  CHECK(refused.Run(ChatStyle::kV1).ok());
}

TEST_CASE("Tokenizers that cannot be used are refused, saying what to do", "[convert][tokenizer]") {
  CHECK_CONTAINS(Folder("").Run().message(),
                 "a tokenizer (tokenizer.json, vocab.json with merges.txt, or tokenizer.model) "
                 "wanted, none found; --no-tokenizer");
  for (const auto& [file, kind] :
       {std::pair("vocab.txt", "a WordPiece one (vocab.txt) found"),
        std::pair("qwen.tiktoken", "a tiktoken one (qwen.tiktoken) found")}) {
    const Folder other("");
    WriteText(other.folder.File(file), "");
    CHECK(other.Run().code() == ErrorCode::kUnsupported);
    CHECK_CONTAINS(other.Run().message(), kind);
  }
  CHECK_CONTAINS(Folder("IQ== 0\nIg== 1\n").Run().message(),
                 "tokenizer.model: a SentencePiece model wanted, a tiktoken one found");
  CHECK_FALSE(Folder("nonsense").Run().ok());
  CHECK_CONTAINS(
      Folder(SentencePieceBytes({{"<unk>", 2}, {"<|im_start|>", 3}})).Run().message(),
      "chat template, or control tokens <|im_start|> and <|im_end|>, wanted, none found");
  const Folder lacks(SentencePieceBytes({{"<unk>", 2}, {"<|im_start|>", 3}})),
      ordinary(SentencePieceBytes({{"<unk>", 2}, {"<|im_start|>", 3}, {"<|im_end|>", 4}}));
  for (const Folder* one : {&lacks, &ordinary})
    WriteText(one->folder.File("chat_template.jinja"), "<|im_start|> <|im_end|>");
  CHECK_CONTAINS(
      lacks.Run().message(),
      "chat style qwen_2 needs the control token <|im_end|>, which the tokenizer does not have");
  CHECK_CONTAINS(ordinary.Run().message(),
                 "<|im_end|>, which the tokenizer has as an ordinary one");
  std::vector<std::pair<std::string, int>> many = kPieces;
  for (int i = 0; many.size() <= 48; ++i) many.emplace_back(Format("p%d", i), 1);
  CHECK_CONTAINS(Folder(SentencePieceBytes(many)).Run().message(),
                 "the tokenizer has 49 tokens, the embedding only 48 rows");
}

}  // namespace
}  // namespace tinyvlm
