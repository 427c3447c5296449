#include "text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <random>
#include <thread>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "sentencepiece_processor.h"
#include "shared_data.h"
#include "text/model_writer.h"
#include "text/token_ids.h"
#include "text/utf8.h"

namespace tinyvlm {
namespace {

// The demo model's tokenizer is this project's own; the others are public ones.
constexpr char kDemo[] = "tokenizer/demo.model";
constexpr char kLlama2[] = "data/tokenizer/llama2/tokenizer.model";

std::filesystem::path ModelPath(const std::string& name) {
  return name == kDemo ? GoldenPath(name) : SharedPath(name);
}

std::unique_ptr<Tokenizer> LoadNamed(const std::string& name) {
  auto tokenizer = LoadSentencePieceTokenizer(AsBytes(ReadWholeFile(ModelPath(name))));
  REQUIRE(tokenizer.ok());
  return std::move(*tokenizer);
}

TEST_CASE("Llama 2's ids and decoded texts equal the reference's",
          "[text][sentencepiece_tokenizer][golden]") {
  const auto tokenizer = LoadNamed(kLlama2);
  const auto path = GoldenPath("tokenizer/llama2-spm.json");
  const auto golden = ParseJson(ReadWholeFile(path));
  REQUIRE(golden.ok());
  CHECK(tokenizer->size() == *golden->Find("vocab_size")->uint64());

  const GoldenCounts wanted = ReadGoldenCounts("llama2-spm.json");
  size_t cases = 0;
  for (const Json& one : *golden->Find("cases")->array()) {
    const std::string& text = *one.Find("text")->string();
    const Ids ids = ReadIds(*one.Find("ids"));
    INFO("\"" << text << "\"");
    // control tokens such as <s> are ordinary text in these
    CHECK(Encode(*tokenizer, text) == ids);
    CHECK(tokenizer->Decode(ids) == *one.Find("decoded")->string());
    ++cases;
  }
  CHECK(cases == wanted.cases);

  size_t prompts = 0;
  for (const Json& one : *golden->Find("prompts")->array()) {
    // What stands between images is a text of its own.
    std::string_view rest = *one.Find("prompt")->string();
    Ids ids;
    for (size_t at = 0; at != std::string_view::npos;) {
      at = rest.find("<image>");
      const Ids piece = Encode(*tokenizer, rest.substr(0, at), /*parse_special=*/true);
      ids.insert(ids.end(), piece.begin(), piece.end());
      if (at != std::string_view::npos) {
        ids.push_back(-200);
        rest.remove_prefix(at + 7);
      }
    }
    INFO(*one.Find("prompt")->string());
    CHECK(ids == ReadIds(*one.Find("ids")));
    ++prompts;
  }
  CHECK(prompts == wanted.prompts);
}

TEST_CASE("Llama 2's ids equal those of llama.cpp's vocabulary tests",
          "[text][sentencepiece_tokenizer][golden]") {
  const auto tokenizer = LoadNamed(kLlama2);
  const auto vocabulary = SharedPath("data/tokenizer/llama.cpp-vocab/ggml-vocab-llama-spm.gguf");
  const std::vector<VocabularyCase> cases = ReadVocabularyCases(vocabulary);
  for (const auto& [text, ids] : cases) {
    INFO("\"" << text << "\"");
    CHECK(Encode(*tokenizer, text) == ids);
  }
  CHECK(cases.size() > 40);
}

TEST_CASE("BPE and unigram models encode and decode as the library does",
          "[text][sentencepiece_tokenizer][golden]") {
  const char* const name =
      GENERATE(kDemo, kLlama2, "data/tokenizer/sentencepiece/python/test/test_model.model",
               "data/tokenizer/sentencepiece/python/test/test_ja_model.model");
  const auto tokenizer = LoadNamed(name);
  const auto path = SharedPath("data/tokenizer/sentencepiece/data/botchan.txt");
  sentencepiece::SentencePieceProcessor library;
  REQUIRE(library.LoadFromSerializedProto(ReadWholeFile(ModelPath(name))).ok());
  REQUIRE(tokenizer->size() == static_cast<size_t>(library.GetPieceSize()));

  std::ifstream file(path);
  size_t lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    if (lines % 4 != 0) continue;
    // A continuation in between must leave no trace.
    REQUIRE(tokenizer->EncodeContinuation(line).ok());
    const Ids ids = Encode(*tokenizer, line);
    std::vector<int> expected;
    REQUIRE(library.Encode(line, &expected).ok());
    std::string text;
    REQUIRE(library.Decode(expected, &text).ok());
    if (ids != expected) FAIL("line " << lines << ": " << line);
    if (tokenizer->Decode(ids) != text) FAIL("line " << lines << ": " << line);
  }
  CHECK(lines > 4000);

  // Random ids: what no text would yield, such as spaces and control tokens anywhere.
  std::mt19937 random(3);
  size_t compared = 0;
  for (int round = 0; round < 3000; ++round) {
    Ids ids;
    const size_t count = 1 + random() % 6;
    for (size_t i = 0; i < count; ++i) {
      const size_t below = random() % 2 == 0 ? 8 : tokenizer->size();
      ids.push_back(static_cast<int32_t>(random() % below));
    }
    std::string bytes;
    bool controls = false, fallback = false;
    for (const int32_t id : ids) {
      bytes += tokenizer->TokenBytes(id);
      controls |= tokenizer->IsControl(id);
      fallback |= library.IsByte(id);
    }
    // The library replaces bad UTF-8 byte by byte, we by maximal subparts; to us a control token
    // does not end a character.
    if (!IsValidUtf8(bytes) || (controls && fallback)) continue;
    std::string text;
    REQUIRE(library.Decode(std::vector<int>(ids.begin(), ids.end()), &text).ok());
    if (tokenizer->Decode(ids) != text)
      FAIL("round " << round << ": \"" << tokenizer->Decode(ids) << "\" instead of \"" << text
                    << "\"");
    ++compared;
  }
  CHECK(compared > 1000);
}

TEST_CASE("The bytes of a token are what it adds to an answer", "[text][sentencepiece_tokenizer]") {
  ModelWriter writer;
  writer.trainer += VarintField(35, 1) + BytesField(44, "?");
  writer.pieces += PieceField(
                       "\xE2\x96\x81"
                       "a\xE2\x96\x81") +
                   PieceField("\n", kUserDefinedPiece) + AllBytePieces();
  const auto tokenizer = LoadSentencePieceTokenizer(AsBytes(writer.Build()));
  REQUIRE(tokenizer.ok());
  CHECK((*tokenizer)->TokenBytes(0) == "?");
  CHECK((*tokenizer)->TokenBytes(1).empty());
  CHECK((*tokenizer)->TokenBytes(3) == " a ");
  CHECK((*tokenizer)->TokenBytes(4) == "\n");
  for (int i = 0; i < 256; ++i)
    CHECK((*tokenizer)->TokenBytes(5 + i) == std::string(1, static_cast<char>(i)));
  for (const int32_t id : {-200, -1, 261, INT32_MAX, INT32_MIN}) {
    CHECK((*tokenizer)->TokenBytes(id).empty());
    CHECK_FALSE((*tokenizer)->IsControl(id));
  }
  CHECK((*tokenizer)->IsControl(1));
  CHECK_FALSE((*tokenizer)->IsControl(0));
  CHECK((*tokenizer)->FindSpecial("</s>") == 2);
  CHECK((*tokenizer)->FindSpecial("\n") == 4);
  CHECK_FALSE((*tokenizer)->FindSpecial("a").has_value());
  CHECK((*tokenizer)->Decode(Ids{5 + 0xE2, 5 + 0x82, 4}) == "\xEF\xBF\xBD\n");
}

TEST_CASE("Plain text never yields control tokens, special text yields the leftmost and longest",
          "[text][sentencepiece_tokenizer]") {
  ModelWriter writer;
  writer.trainer += VarintField(35, 1);
  writer.pieces +=
      PieceField("<s>x", kControlPiece) + PieceField("<|im_end|>", kControlPiece) + AllBytePieces();
  const auto loaded = LoadSentencePieceTokenizer(AsBytes(writer.Build()));
  REQUIRE(loaded.ok());
  const Tokenizer& tokenizer = **loaded;
  const auto byte = [](char c) { return 5 + static_cast<uint8_t>(c); };
  CHECK(Encode(tokenizer, "a<s>b</s>", true) == Ids{byte('a'), 1, byte('b'), 2});
  CHECK(Encode(tokenizer, "<s>x<s>y", true) == Ids{3, 1, byte('y')});
  CHECK(Encode(tokenizer, "<<s>", true) == Ids{byte('<'), 1});
  CHECK(Encode(tokenizer, "<|im_end|><|im_end|>", true) == Ids{4, 4});
  CHECK(Encode(tokenizer, "", true).empty());
  for (const std::string text : {"<|im_end|>", "<s>", "</s>", "<s>x", "<unk>", "<0x41>"}) {
    const Ids ids = Encode(tokenizer, text);
    CHECK(ids.size() == text.size());
    CHECK(tokenizer.Decode(ids) == text);
    CHECK(*tokenizer.EncodeContinuation(text) == ids);
  }
}

TEST_CASE("In the demo model the user's text never yields control tokens",
          "[text][sentencepiece_tokenizer]") {
  const auto tokenizer = LoadNamed(kDemo);
  CHECK(tokenizer->size() == 1024);
  const std::pair<const char*, int32_t> controls[] = {
      {"<|endoftext|>", 1}, {"<|im_start|>", 2}, {"<|im_end|>", 3}, {"<image>", 4}};
  for (const auto& [text, id] : controls) {
    CHECK(tokenizer->FindSpecial(text) == id);
    CHECK(tokenizer->IsControl(id));
    CHECK(Encode(*tokenizer, text, true) == Ids{id});
    const Ids plain = Encode(*tokenizer, text);
    CHECK(plain.size() > 1);
    for (const int32_t one : plain) CHECK_FALSE(tokenizer->IsControl(one));
    CHECK(tokenizer->Decode(plain) == text);
  }
  CHECK(Encode(*tokenizer, "\n") == Ids{5});  // USER_DEFINED matches in plain text
}

TEST_CASE("The dummy prefix stands at the start of the text only",
          "[text][sentencepiece_tokenizer]") {
  const auto tokenizer = LoadNamed(kLlama2);
  CHECK(Encode(*tokenizer, "Hello world") == Ids{15043, 3186});
  CHECK(*tokenizer->EncodeContinuation("Hello world") == Ids{10994, 3186});
  CHECK(*tokenizer->EncodeContinuation(" Hello world") == Ids{15043, 3186});
  CHECK(Encode(*tokenizer, "</s>Hello world", true) == Ids{2, 10994, 3186});
  CHECK(Encode(*tokenizer, "Hello world</s>Hello world", true) == Ids{15043, 3186, 2, 10994, 3186});
  CHECK(Encode(*tokenizer, "Hello world") == Ids{15043, 3186});
}

#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)
TEST_CASE("Several threads may encode at once", "[text][sentencepiece_tokenizer]") {
  const auto tokenizer = LoadNamed(kLlama2);
  size_t wrong[2] = {0, 0};
  std::thread other([&] {
    for (int i = 0; i < 300; ++i)
      wrong[1] += *tokenizer->EncodeContinuation("Hello world") == Ids{10994, 3186} ? 0 : 1;
  });
  for (int i = 0; i < 300; ++i)
    wrong[0] += *tokenizer->Encode("Hello world", false) == Ids{15043, 3186} ? 0 : 1;
  other.join();
  CHECK(wrong[0] + wrong[1] == 0);
}
#endif

TEST_CASE("A text that is too long is refused, the longest one is not",
          "[text][sentencepiece_tokenizer]") {
  const auto tokenizer = LoadNamed(kDemo);
  CHECK(tokenizer->Encode(std::string(Tokenizer::kMaxTextBytes, 'a'), true).ok());
  CHECK(tokenizer->Encode(std::string(Tokenizer::kMaxTextBytes + 1, 'a'), false).status().code() ==
        ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tinyvlm
