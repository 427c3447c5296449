#include "engine/model_tokenizer.h"

#include <iostream>
#include <random>

#include "catch_amalgamated.hpp"
#include "formats/gguf_bytes.h"
#include "shared_data.h"
#include "text/bpe_parts.h"
#include "text/token_ids.h"
#include "text/utf8.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

GgufFile Parse(std::span<const uint8_t> bytes) {
  auto parsed = ParseGgufHeader(bytes);
  INFO(parsed.status().message());
  REQUIRE((parsed.ok() && parsed->file));
  return std::move(*parsed->file);
}

// A file's keys, of which tests leave some out or change them.
struct Keys {
  std::string architecture = "qwen2";
  std::string kind = "gpt2";
  std::string pre = "qwen2";
  BpeParts parts;
  std::vector<float> scores;  // where there are any
  std::string chat_template;
  int32_t bos_id = -1, eos_id = -1;
  int add_bos = -1;  // -1: the key is absent
  std::vector<int32_t> stop_ids;
  std::string style;

  std::vector<uint8_t> Bytes() const {
    GgufBytes file(0, 0);
    uint64_t count = 0;
    const auto key = [&](std::string_view name, GgufType type) {
      return ++count, file.Key(name, type), &file;
    };
    const auto text = [&](std::string_view name, std::string_view value) {
      if (!value.empty()) key(name, GgufType::kString)->String(value);
    };
    const auto texts = [&](std::string_view name, const std::vector<std::string>& values) {
      if (values.empty()) return;
      ++count;
      file.Array(name, GgufType::kString, values.size());
      for (const std::string& value : values) file.String(value);
    };
    const auto numbers = [&](std::string_view name, const std::vector<int32_t>& values) {
      if (values.empty()) return;
      ++count;
      file.Array(name, GgufType::kI32, values.size());
      for (const int32_t value : values) file.U32(static_cast<uint32_t>(value));
    };
    text("general.architecture", architecture);
    text("tokenizer.ggml.model", kind);
    text("tokenizer.ggml.pre", pre);
    texts("tokenizer.ggml.tokens", parts.tokens);
    numbers("tokenizer.ggml.token_type", parts.types);
    texts("tokenizer.ggml.merges", parts.merges);
    if (!scores.empty()) {
      ++count;
      file.Array("tokenizer.ggml.scores", GgufType::kF32, scores.size());
      for (const float score : scores) file.F32(score);
    }
    text("tokenizer.chat_template", chat_template);
    text("fastvlm.chat_style", style);
    numbers("tinyvlm.stop_ids", stop_ids);
    if (bos_id >= 0)
      key("tokenizer.ggml.bos_token_id", GgufType::kU32)->U32(static_cast<uint32_t>(bos_id));
    if (eos_id >= 0)
      key("tokenizer.ggml.eos_token_id", GgufType::kU32)->U32(static_cast<uint32_t>(eos_id));
    if (add_bos >= 0)
      key("tokenizer.ggml.add_bos_token", GgufType::kBool)->U8(static_cast<uint8_t>(add_bos));
    file.Pad();
    std::memcpy(file.bytes.data() + 16, &count, sizeof(count));
    return file.bytes;
  }

  Result<ModelTokenizer> Read(size_t vocabulary = 1000) const {
    const std::vector<uint8_t> bytes = Bytes();
    const GgufFile file = Parse(bytes);
    return ReadModelTokenizer(file.metadata, architecture, vocabulary);
  }
};

Keys Qwen() {
  Keys keys;
  keys.parts = BpeParts::Bytes();
  keys.parts.AddMerge("a", "b");                          // 256
  keys.parts.AddSpecial("<|endoftext|>", kControlPiece);  // 257
  keys.parts.AddSpecial("<|im_start|>", kControlPiece);   // 258
  keys.parts.AddSpecial("<|im_end|>", kControlPiece);     // 259
  keys.eos_id = 259;
  return keys;
}

Keys Llama() {
  Keys keys;
  keys.architecture = keys.kind = "llama";
  keys.pre = "";
  keys.parts.tokens = {"<unk>",
                       "<s>",
                       "</s>",
                       "\xE2\x96\x81",
                       "a",
                       "b",
                       "ab",
                       "\xE2\x96\x81"
                       "ab"};
  keys.parts.types = {2, 3, 3, 1, 1, 1, 1, 1};
  keys.scores = {0, 0, 0, -10, -11, -12, -1, -2};
  keys.bos_id = 1;
  keys.eos_id = 2;
  return keys;
}

TEST_CASE("llama.cpp's vocabulary files give llama.cpp's ids from their own keys",
          "[engine][model_tokenizer][golden]") {
  const std::string name = GENERATE("ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf");
  const auto folder = SharedPath("data/tokenizer/llama.cpp-vocab");
  const std::string bytes = ReadWholeFile(folder / name);
  const GgufFile file = Parse(AsBytes(bytes));
  CHECK(file.metadata.Find("tinyvlm.sentencepiece_model") == nullptr);
  const auto read = ReadModelTokenizer(file.metadata, "llama", 32064);
  INFO(read.status().message());
  REQUIRE(read.ok());
  CHECK(read->bos_id == 1);

  const std::vector<VocabularyCase> cases = ReadVocabularyCases(folder / name);
  for (const auto& [text, expected] : cases) {
    INFO("\"" << text << "\"");
    const Ids ids = Encode(*read->tokenizer, text);
    CHECK(ids == expected);
    CHECK(read->tokenizer->Decode(ids) == text);
  }
  std::cout << name << ": " << cases.size() << " texts\n";
  CHECK(cases.size() > 40);
}

TEST_CASE("Phi-3's padding is no token, and its template is refused when the model is asked",
          "[engine][model_tokenizer][golden]") {
  const auto path = SharedPath("data/tokenizer/llama.cpp-vocab/ggml-vocab-phi-3.gguf");
  const std::string bytes = ReadWholeFile(path);
  const GgufFile file = Parse(AsBytes(bytes));
  const auto read = ReadModelTokenizer(file.metadata, "llama", 32064);
  REQUIRE(read.ok());
  CHECK(read->tokenizer->size() == 32011);
  CHECK(read->stop_ids == Ids{32000});
  CHECK(read->chat_style.status().code() == ErrorCode::kUnsupported);
  CHECK_CONTAINS(read->chat_style.status().message(),
                 "begins \"{{ bos_token }}{% for message in messages %}");
  CHECK(*read->tokenizer->Encode("<|user|>", false) != Ids{32010});
  CHECK(*read->tokenizer->Encode("<|user|>", true) == Ids{32010});
}

TEST_CASE("A qwen2 text model of the goldens has its tokenizer and style",
          "[engine][model_tokenizer][golden]") {
  const std::string name = GENERATE("qwen2-f32.gguf", "qwen2-mixed.gguf", "qwen2-v2.gguf");
  const auto path = GoldenPath("gguf/" + name);
  const std::string bytes = ReadWholeFile(path);
  const GgufFile file = Parse(AsBytes(bytes));
  const auto manifest = ParseJson(ReadWholeFile(GoldenPath("gguf/manifest.json")));
  REQUIRE(manifest.ok());
  const auto vocabulary = static_cast<size_t>(*manifest->Find("size")->Find("vocab")->uint64());
  const auto read = ReadModelTokenizer(file.metadata, "qwen2", vocabulary);
  INFO(read.status().message());
  REQUIRE(read.ok());
  CHECK(read->tokenizer->size() == vocabulary);
  CHECK(*read->chat_style == ChatStyle::kQwen2);
  CHECK_FALSE(read->bos_id.has_value());
  // The end of a turn that the file names, and the end of a text, which its vocabulary has.
  const Json& keys = *manifest->Find("files")->Find("qwen2-f32.gguf")->Find("kv");
  CHECK(read->stop_ids ==
        Ids{static_cast<int32_t>(*keys.Find("tokenizer.ggml.eos_token_id")->int64()),
            static_cast<int32_t>(*keys.Find("tokenizer.ggml.bos_token_id")->int64())});
  for (const Json& one : *manifest->Find("tokenizer_checks")->array()) {
    const std::string& text = *one.Find("text")->string();
    INFO("\"" << text << "\"");
    CHECK(Encode(*read->tokenizer, text, /*parse_special=*/true) == ReadIds(*one.Find("ids")));
  }
  CHECK(read->tokenizer->Decode(
            *read->tokenizer->Encode("Hello, w\xC3\xB6rld! \xF0\x9F\x98\x80", false)) ==
        "Hello, w\xC3\xB6rld! \xF0\x9F\x98\x80");
}

TEST_CASE("Qwen2's whole tokenizer out of a GGUF file", "[engine][model_tokenizer][golden]") {
  const auto folder = SharedPath("data/tokenizer/qwen2");
  Keys keys;
  keys.parts = ReadQwen2Parts(folder);
  // As in other makers' files: rows beyond the tokenizer are named as padding.
  while (keys.parts.tokens.size() < 151936)
    keys.parts.AddSpecial("[PAD" + std::to_string(keys.parts.tokens.size()) + "]", kUnusedPiece);
  keys.eos_id = 151645;
  const auto read = keys.Read(151936);
  INFO(read.status().message());
  REQUIRE(read.ok());
  CHECK(read->tokenizer->size() == 151646);
  CHECK(*read->tokenizer->Encode("Hello world", false) == Ids{9707, 1879});
  CHECK(read->stop_ids == Ids{151645, 151643});
  CHECK(*read->chat_style == ChatStyle::kQwen2);
}

TEST_CASE("A style is what the template says, else what the vocabulary can do",
          "[engine][model_tokenizer]") {
  Keys keys = Qwen();
  CHECK(*keys.Read()->chat_style == ChatStyle::kQwen2);
  keys.parts.types[259] = kUserDefinedPiece;
  CHECK(*keys.Read()->chat_style == ChatStyle::kPlain);
  keys.chat_template = "{{ 'USER: ' + x + ' ASSISTANT:' }}";
  CHECK(*keys.Read()->chat_style == ChatStyle::kV1);
  keys.chat_template = "[INST]";
  const auto refused = keys.Read();
  REQUIRE(refused.ok());
  CHECK(refused->chat_style.status().code() == ErrorCode::kUnsupported);
  CHECK(*Llama().Read()->chat_style == ChatStyle::kPlain);
}

TEST_CASE("Begin and end tokens are the file's", "[engine][model_tokenizer]") {
  Keys keys = Qwen();
  CHECK(keys.Read()->stop_ids == Ids{259, 257});
  CHECK_FALSE(keys.Read()->bos_id.has_value());
  keys.bos_id = 257;
  CHECK_FALSE(keys.Read()->bos_id.has_value());
  keys.add_bos = 1;
  CHECK(keys.Read()->bos_id == 257);
  keys.bos_id = -1;
  CHECK(keys.Read().status().code() == ErrorCode::kNotFound);
  keys.add_bos = 0;
  keys.eos_id = 256;  // an ordinary token may end answers too
  CHECK(keys.Read()->stop_ids == Ids{256, 259, 257});

  Keys llama = Llama();
  CHECK(llama.Read()->bos_id == 1);
  CHECK(llama.Read()->stop_ids == Ids{2});
  llama.add_bos = 0;
  CHECK_FALSE(llama.Read()->bos_id.has_value());
  CHECK(*llama.Read()->tokenizer->Encode("ab b", false) == Ids{7, 3, 5});
}

TEST_CASE("Our own files say style and stop ids themselves", "[engine][model_tokenizer]") {
  Keys keys = Qwen();
  keys.architecture = "fastvlm";
  CHECK(keys.Read().status().code() == ErrorCode::kNotFound);
  keys.style = "plain";
  keys.stop_ids = {7};
  const auto read = keys.Read();
  REQUIRE(read.ok());
  CHECK(*read->chat_style == ChatStyle::kPlain);
  CHECK(read->stop_ids == Ids{7});
  keys.style = "llama_3";
  CHECK_CONTAINS(keys.Read().status().message(), "\"llama_3\" found");
  keys.style = "v1";
  keys.stop_ids = {1000};
  CHECK_CONTAINS(keys.Read().status().message(), "tinyvlm.stop_ids: 0..999 wanted, 1000 found");
}

TEST_CASE("A qwen2 file that names no splitting, or an alias of Qwen2's, is read with a warning",
          "[engine][model_tokenizer]") {
  Keys keys = Qwen();
  CHECK(keys.Read()->warnings.empty());
  const Ids wanted = Encode(*keys.Read()->tokenizer, "ab 12 abab\n\n a");
  for (const auto& [pre, warning] : std::vector<std::pair<std::string, std::string>>{
           {"", "tokenizer.ggml.pre is missing: texts are split as Qwen2 splits them"},
           {"deepseek-r1-qwen",
            "tokenizer.ggml.pre is \"deepseek-r1-qwen\": texts are split as Qwen2 splits them"}}) {
    keys.pre = pre;
    const auto read = keys.Read();
    INFO(read.status().message());
    REQUIRE(read.ok());
    CHECK(read->warnings == std::vector<std::string>{warning});
    CHECK(Encode(*read->tokenizer, "ab 12 abab\n\n a") == wanted);
  }
}

TEST_CASE("A file without a tokenizer is none's fault", "[engine][model_tokenizer]") {
  Keys keys = Qwen();
  keys.kind = "";
  const auto read = keys.Read();
  REQUIRE(read.ok());
  CHECK(read->tokenizer == nullptr);
}

TEST_CASE("Tokenizers that cannot be read are refused, naming the key",
          "[engine][model_tokenizer]") {
  const auto refused = [](Keys keys, const std::function<void(Keys*)>& damage,
                          ErrorCode code = ErrorCode::kInvalidFile) {
    damage(&keys);
    const auto read = keys.Read();
    REQUIRE_FALSE(read.ok());
    CHECK(std::string(ErrorCodeName(read.status().code())) == ErrorCodeName(code));
    return read.status().message();
  };
  const auto unsupported = ErrorCode::kUnsupported;
  CHECK_CONTAINS(refused(
                     Qwen(), [](Keys* k) { k->kind = "bert"; }, unsupported),
                 "tokenizer.ggml.model: \"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece) "
                 "wanted, \"bert\" found");
  CHECK_CONTAINS(refused(Qwen(), [](Keys* k) { k->kind = "t5"; }, unsupported), "\"t5\" found");
  CHECK_CONTAINS(
      refused(
          Qwen(), [](Keys* k) { k->pre = "llama-bpe"; }, unsupported),
      "tokenizer.ggml.pre: byte-level BPE of the kind \"qwen2\" wanted, \"llama-bpe\" found");
  CHECK_CONTAINS(refused(
                     Qwen(),
                     [](Keys* k) {
                       k->architecture = "llama";
                       k->pre = "";
                     },
                     unsupported),
                 "tokenizer.ggml.pre: \"qwen2\" wanted, none found");
  CHECK_CONTAINS(refused(
                     Qwen(), [](Keys* k) { k->parts.tokens.clear(); }, ErrorCode::kNotFound),
                 "tokenizer.ggml.tokens");
  CHECK_CONTAINS(refused(
                     Qwen(), [](Keys* k) { k->parts.merges.clear(); }, ErrorCode::kNotFound),
                 "tokenizer.ggml.merges");
  CHECK_CONTAINS(refused(Qwen(), [](Keys* k) { k->parts.types.pop_back(); }),
                 "a type for each of 260 tokens wanted, 259 types found");
  CHECK_CONTAINS(refused(Qwen(), [](Keys* k) { k->parts.merges[0] = "a z"; }),
                 "merge 0 \"a z\": what it makes is not a token");
  CHECK_CONTAINS(refused(Qwen(), [](Keys* k) { k->eos_id = 1000; }),
                 "tokenizer.ggml.eos_token_id: an id below 1000 wanted, 1000 found");
  CHECK_CONTAINS(refused(Qwen(),
                         [](Keys* k) {
                           k->bos_id = 260;
                           k->add_bos = 1;
                         }),
                 "tokenizer.ggml.bos_token_id: an id below 260 wanted, 260 found");
  CHECK_CONTAINS(refused(
                     Llama(), [](Keys* k) { k->scores.clear(); }, ErrorCode::kNotFound),
                 "tokenizer.ggml.scores");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->scores.pop_back(); }),
                 "a score and a type for each of 8 tokens wanted, 7 scores and 8 types found");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->parts.types.push_back(1); }),
                 "8 scores and 9 types found");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->scores[4] = INFINITY; }),
                 "the score of piece 4 is not a finite number");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->parts.tokens[5] = "a"; }),
                 "piece 5 \"a\" exists already");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->parts.types[0] = 1; }),
                 "an unknown token (type 2) wanted");
  CHECK_CONTAINS(refused(Llama(), [](Keys* k) { k->parts.types[4] = 9; }),
                 "a type from 1 to 6 wanted, 9 found");
  Keys large = Qwen();
  CHECK(large.Read(260).ok());
  CHECK_CONTAINS(large.Read(259).status().message(),
                 "tokenizer.ggml.tokens has 260 tokens, token_embd.weight only 259 rows");
}

TEST_CASE("Damaged tokenizer keys are read or refused", "[engine][model_tokenizer]") {
  std::mt19937 random(17);
  for (const Keys& keys : {Qwen(), Llama()}) {
    const std::vector<uint8_t> whole = keys.Bytes();
    int read_well = 0;
    for (int round = 0; round < 4000; ++round) {
      std::vector<uint8_t> bytes = whole;
      // In half of the rounds in the last keys alone, where less of it is fatal.
      const size_t begin = random() % 2 == 0 ? 24 : bytes.size() - 200;
      for (size_t n = 1 + random() % 3; n > 0; --n)
        bytes[begin + random() % (bytes.size() - begin)] = static_cast<uint8_t>(random());
      if (random() % 8 == 0) bytes.resize(24 + random() % (bytes.size() - 24));
      const auto parsed = ParseGgufHeader(bytes);
      if (!parsed.ok() || !parsed->file) continue;
      const auto read = ReadModelTokenizer(parsed->file->metadata, keys.architecture, 1000);
      if (!read.ok()) {
        REQUIRE_FALSE(read.status().message().empty());
        continue;
      }
      if (read->tokenizer == nullptr) continue;
      ++read_well;
      const auto ids = read->tokenizer->Encode("ab a<|im_end|>b\xFF", true);
      REQUIRE(ids.ok());
      for (const int32_t id : *ids)
        REQUIRE((id >= 0 && static_cast<size_t>(id) < read->tokenizer->size()));
      REQUIRE(IsValidUtf8(read->tokenizer->Decode(*ids)));
    }
    CHECK(read_well > 50);
  }
}

}  // namespace
}  // namespace tinyvlm
