#include "text/sentencepiece_model.h"

#include <random>

#include "catch_amalgamated.hpp"
#include "shared_data.h"
#include "text/model_writer.h"
#include "text/sentencepiece_tokenizer.h"

namespace tinyvlm {
namespace {

// The error of a model that must be refused; the loader must refuse it too.
Status Refused(const std::string& model) {
  const Status status = ParseSentencePieceModel(AsBytes(model)).status();
  CHECK_FALSE(status.ok());
  CHECK(LoadSentencePieceTokenizer(AsBytes(model)).status().code() == status.code());
  return status;
}

void CheckRefused(const std::string& model, ErrorCode code, const std::string& words) {
  const Status status = Refused(model);
  CHECK(std::string(ErrorCodeName(status.code())) == ErrorCodeName(code));
  INFO(status.message());
  CHECK(status.message().find(words) != std::string::npos);
}

TEST_CASE("A minimal model is read", "[text][sentencepiece_model]") {
  ModelWriter writer;
  writer.pieces += PieceField("ab", kNormalPiece, -1.5f) + PieceField("\n", kUserDefinedPiece) +
                   PieceField("zz", kUnusedPiece);
  writer.trainer += VarintField(43, 2) + BytesField(48, "</s>") + BytesField(44, "?");
  const auto info = ParseSentencePieceModel(AsBytes(writer.Build()));
  REQUIRE(info.ok());
  CHECK(info->algorithm == SentencePieceModelInfo::Algorithm::kBpe);
  REQUIRE(info->pieces.size() == 6);
  CHECK(info->pieces[3].text == "ab");
  CHECK(info->pieces[3].score == -1.5f);
  CHECK(info->pieces[4].type == kUserDefinedPiece);
  CHECK(info->pieces[5].type == kUnusedPiece);
  CHECK(info->unk_id == 0);
  CHECK(info->bos_id == 1);
  CHECK(info->eos_id == 2);
  CHECK(info->pad_id == 2);
  CHECK(info->unk_surface == "?");
  CHECK_FALSE(info->add_dummy_prefix);
  CHECK_FALSE(info->remove_extra_whitespaces);
  CHECK(info->escape_whitespaces);
}

TEST_CASE("A model is built of tokens, scores and types", "[text][sentencepiece_model]") {
  const std::vector<std::string_view> tokens{"<unk>", "<s>",          "</s>",   "a",      "b",
                                             "ab",    "\xE2\x96\x81", "<tool>", "[PAD8]", "[PAD9]"};
  const std::vector<float> scores{0, 0, 0, -1, -2, -0.5f, -3, 0, 0, 0};
  // <unk> marked as control, padding as unknown
  const std::vector<int32_t> types{3, 3, 3, 1, 1, 1, 1, 4, 2, 5};
  const auto model = BuildSentencePieceModel({tokens, scores, types, /*unk_id=*/0, /*bos_id=*/1,
                                              /*eos_id=*/2, /*add_dummy_prefix=*/false});
  REQUIRE(model.ok());
  const auto info = ParseSentencePieceModel(AsBytes(*model));
  INFO(info.status().message());
  REQUIRE(info.ok());
  REQUIRE(info->pieces.size() == 8);  // without the padding
  CHECK(info->pieces[5].text == "ab");
  CHECK(info->pieces[5].score == -0.5f);
  CHECK(info->algorithm == SentencePieceModelInfo::Algorithm::kBpe);
  CHECK((info->unk_id == 0 && info->bos_id == 1 && info->eos_id == 2 && info->pad_id == -1));
  CHECK_FALSE((info->byte_fallback || info->add_dummy_prefix || info->remove_extra_whitespaces));
  const auto tokenizer = LoadSentencePieceTokenizer(AsBytes(*model));
  REQUIRE(tokenizer.ok());
  CHECK(*(*tokenizer)->Encode("ab<tool>a b", false) == std::vector<int32_t>{5, 7, 3, 6, 4});
}

TEST_CASE("Lists that make no model are refused", "[text][sentencepiece_model]") {
  const std::vector<std::string_view> tokens{"<unk>", "a", "b"};
  const std::vector<float> scores{0, -1, -2};
  const std::vector<int32_t> types{2, 1, 1}, no_unknown{1, 1, 1};
  const auto refused = [](const SentencePieceVocabulary& vocabulary) {
    const auto model = BuildSentencePieceModel(vocabulary);
    REQUIRE_FALSE(model.ok());
    CHECK(model.status().code() == ErrorCode::kInvalidFile);
    return model.status().message();
  };
  CHECK(BuildSentencePieceModel({tokens, scores, types}).ok());
  CHECK(refused({tokens, std::span(scores).first(2), types})
            .find("3 tokens wanted, 2 scores and 3 types found") != std::string::npos);
  CHECK(refused({tokens, scores, std::span(types).first(1)}).find("3 scores and 1 types found") !=
        std::string::npos);
  CHECK(refused({tokens, scores, no_unknown})
            .find("an unknown token (type 2) wanted, none found among 3") != std::string::npos);
  CHECK(refused({tokens, scores, types, 3}).find("unknown token: an id below 3 wanted, 3 found") !=
        std::string::npos);
  CHECK(refused({tokens, scores, types, 0, -2}).find("bos token: an id below 3 wanted, -2 found") !=
        std::string::npos);
}

TEST_CASE("Inconsistent pieces are rejected with a specific error", "[text][sentencepiece_model]") {
  ModelWriter writer;
  SECTION("no pieces") { CheckRefused("", ErrorCode::kInvalidFile, "unknown piece"); }
  SECTION("no unknown piece") {
    writer.pieces = PieceField("a");
    writer.trainer += VarintField(41, UINT64_MAX) + VarintField(42, UINT64_MAX);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "unknown piece");
  }
  SECTION("two unknown pieces") {
    writer.pieces += PieceField("<unk2>", kUnknownPiece);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "pieces 0 and 3");
  }
  SECTION("an empty piece") {
    writer.pieces += PieceField("");
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "piece 3");
  }
  SECTION("two equal pieces") {
    writer.pieces += PieceField("a") + PieceField("a");
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "piece 4 \"a\"");
  }
  SECTION("a normal piece that is spelt like a control piece") {
    writer.pieces += PieceField("</s>");
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "\"</s>\"");
  }
  SECTION("a control piece of one character, which plain text could yield") {
    writer.pieces += PieceField("\xE2\x98\x83", kControlPiece);
    CheckRefused(writer.Build(), ErrorCode::kUnsupported, "control piece 3");
  }
  SECTION("a piece that is not UTF-8") {
    writer.pieces += PieceField("a\xFF");
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "UTF-8");
  }
  SECTION("a piece with a null character, at which the library's trie builder gives up") {
    writer.pieces += PieceField(std::string_view("a\0b", 3));
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "null");
  }
  SECTION("a piece longer than any real one") {
    writer.pieces += PieceField(std::string(1025, 'a'));
    CheckRefused(writer.Build(), ErrorCode::kUnsupported, "1024");
  }
  SECTION("a score that is not a number") {
    writer.pieces += PieceField("a", kNormalPiece, std::numeric_limits<float>::quiet_NaN());
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "score of piece 3");
  }
  SECTION("an unknown type") {
    writer.pieces += PieceField("a", 7);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "piece 3");
  }
  SECTION("user-defined pieces nested deeper than the library's array") {
    for (int i = 1; i <= 65; ++i)
      writer.pieces += PieceField(std::string(static_cast<size_t>(i), 'x'), kUserDefinedPiece);
    CheckRefused(writer.Build(), ErrorCode::kUnsupported, "prefixes");
  }
}

TEST_CASE("User-defined pieces nested as deep as the library's array are read and matched",
          "[text][sentencepiece_model]") {
  ModelWriter writer;
  for (int i = 1; i <= 64; ++i)
    writer.pieces += PieceField(std::string(static_cast<size_t>(i), 'x'), kUserDefinedPiece);
  const auto tokenizer = LoadSentencePieceTokenizer(AsBytes(writer.Build()));
  REQUIRE(tokenizer.ok());
  const auto ids = (*tokenizer)->Encode(std::string(70, 'x'), false);
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<int32_t>{66, 8});
}

TEST_CASE("Byte pieces must be all there or not at all", "[text][sentencepiece_model]") {
  ModelWriter writer;
  SECTION("without byte_fallback") {
    writer.pieces += AllBytePieces();
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "byte_fallback is off");
  }
  SECTION("one missing") {
    writer.trainer += VarintField(35, 1);
    writer.pieces += AllBytePieces();
    writer.pieces.resize(writer.pieces.size() - PieceField("<0xFF>", kBytePiece).size());
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "255 found");
  }
  SECTION("misspelt") {
    writer.trainer += VarintField(35, 1);
    writer.pieces += PieceField("<0xff>", kBytePiece);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "\"<0xff>\"");
  }
  SECTION("all there") {
    writer.trainer += VarintField(35, 1);
    writer.pieces += AllBytePieces();
    CHECK(LoadSentencePieceTokenizer(AsBytes(writer.Build())).ok());
  }
}

TEST_CASE("Ids and types that the trainer names must exist", "[text][sentencepiece_model]") {
  ModelWriter writer;
  SECTION("id too large") {
    writer.trainer += VarintField(42, 3);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "eos_id");
  }
  SECTION("id below -1") {
    writer.trainer += VarintField(43, static_cast<uint64_t>(int64_t{-2}));
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "pad_id");
  }
  SECTION("no such algorithm") {
    writer.trainer = VarintField(3, 5);
    CheckRefused(writer.Build(), ErrorCode::kInvalidFile, "model type");
  }
  SECTION("an algorithm that we do not do") {
    writer.trainer = VarintField(3, 3);
    CHECK(ParseSentencePieceModel(AsBytes(writer.Build())).ok());
    CHECK(LoadSentencePieceTokenizer(AsBytes(writer.Build())).status().code() ==
          ErrorCode::kUnsupported);
  }
  SECTION("a unigram model without a single normal piece") {
    writer.trainer = VarintField(3, 1);
    CHECK(LoadSentencePieceTokenizer(AsBytes(writer.Build())).status().code() ==
          ErrorCode::kInvalidFile);
  }
}

TEST_CASE("Damaged wire format is refused with its place", "[text][sentencepiece_model]") {
  CheckRefused(std::string("\x0A\x05"), ErrorCode::kInvalidFile, "byte 0");
  CheckRefused(std::string("\x0A"), ErrorCode::kInvalidFile, "byte 0");
  CheckRefused(std::string("\x00\x00", 2), ErrorCode::kInvalidFile, "byte 0");
  CheckRefused(std::string(11, '\xFF'), ErrorCode::kInvalidFile, "byte 0");
  // pieces are messages
  CheckRefused(VarintField(1, 1), ErrorCode::kInvalidFile, "wire type");
  // the model type is a number
  CheckRefused(BytesField(2, BytesField(3, "2")), ErrorCode::kInvalidFile, "byte 2");
  CheckRefused(std::string("\x3B\x3C"), ErrorCode::kInvalidFile, "wire type 3");  // a group
}

TEST_CASE("The trainer's test sentences are not handed to the library",
          "[text][sentencepiece_model]") {
  ModelWriter writer;
  const std::string without = writer.Build();
  const std::string sample =
      BytesField(1, BytesField(1, "input") + BytesField(2, "not what comes out"));
  const std::string with = BytesField(4, sample) + without + BytesField(4, sample);
  CHECK(WithoutSelfTests(AsBytes(with)) == without);
  CHECK(WithoutSelfTests(AsBytes(without)) == without);
  CHECK(LoadSentencePieceTokenizer(AsBytes(with)).ok());
}

TEST_CASE("The normaliser's trie is followed only where it is sound",
          "[text][sentencepiece_model]") {
  using W = CharsmapWriter;
  const auto model = [](const W& charsmap) {
    ModelWriter writer;
    writer.pieces += PieceField("x") + PieceField("a") + PieceField("b");
    writer.normalizer += BytesField(2, charsmap.Build());
    return writer.Build();
  };
  // The root's children lie at 256 + label; 'a' goes to its own children in the same block, of
  // which the first holds the result.
  W sound;
  sound.units[0] = W::Unit(0, 256, false);
  sound.units[256 ^ 'a'] = W::Unit('a', 'a' ^ 1, true);  // children at 257
  sound.units[257] = 0x80000000u;                        // result 0, "x"
  {
    const auto tokenizer = LoadSentencePieceTokenizer(AsBytes(model(sound)));
    REQUIRE(tokenizer.ok());
    CHECK(*(*tokenizer)->Encode("abax", false) == std::vector<int32_t>{3, 5, 3, 3});
  }
  W broken = sound;
  SECTION("a size that is no number of blocks") {
    broken.units.resize(500);
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "1024");
  }
  SECTION("no results") {
    broken.results.clear();
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "null character");
  }
  SECTION("results without an end") {
    broken.results = "x";
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "null character");
  }
  SECTION("a root that leads outside") {
    broken.units[0] = W::Unit(0, 512, false);
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "outside the trie");
  }
  SECTION("a state that leads outside, by a wide offset") {
    broken.units[256 ^ 'a'] = W::Unit('a', 0x1FFFFF, false) | 0x200;
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "outside the trie");
  }
  SECTION("a result outside the results") {
    broken.units[257] = 0x80000002u;
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "outside the results");
  }
  SECTION("a result that is not UTF-8") {
    broken.results = std::string("\xC3\0", 2);
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "UTF-8");
  }
  SECTION("a result out of proportion") {
    broken.results = std::string(129, 'x');
    broken.results.push_back('\0');
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "128");
  }
  SECTION("a cycle") {
    broken.units[256 ^ 'a'] = W::Unit('a', 'a', true);  // its children are the root's
    broken.units[256] = 0x80000000u;
    CheckRefused(model(broken), ErrorCode::kInvalidFile, "cycle");
  }
  SECTION("more nested rules than the library's array holds") {
    // A chain of one 'a' after another, each with a result, a block each.
    for (const size_t depth : {32, 33}) {
      W chain;
      chain.units.assign(256 * (depth + 2), 0x80000000u);
      chain.units[0] = W::Unit(0, 256, false);
      for (uint32_t i = 1; i <= depth; ++i) {
        const uint32_t here = i * 256 ^ 'a', children = (i + 1) * 256;
        chain.units[here] = W::Unit('a', here ^ children, true);
      }
      if (depth == 32) {
        CHECK(LoadSentencePieceTokenizer(AsBytes(model(chain))).ok());
      } else {
        CheckRefused(model(chain), ErrorCode::kInvalidFile, "too many rules");
      }
    }
  }
}

// Loads hostile bytes and, where they are accepted, uses the tokenizer. Nothing may crash, print or
// run on.
size_t LoadAndUse(const std::string& model) {
  const auto tokenizer = LoadSentencePieceTokenizer(AsBytes(model));
  if (!tokenizer.ok()) {
    CHECK_FALSE(tokenizer.status().message().empty());
    return 0;
  }
  for (const std::string_view text : {"What is on the table? \xEF\xBD\xB1\xE2\x85\xA7 <|im_end|>\n",
                                      "\xFF\xFE\xF0\x9F  ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    for (const bool parse_special : {false, true}) {
      const auto ids = (*tokenizer)->Encode(text, parse_special);
      if (ids.ok()) (*tokenizer)->Decode(*ids);
    }
    (void)(*tokenizer)->EncodeContinuation(text);
  }
  return 1;
}

TEST_CASE("Truncated and altered models end in an error or in a working tokenizer",
          "[text][sentencepiece_model][hostile]") {
  const bool demo = GENERATE(true, false);
  const std::string good =
      ReadWholeFile(demo ? GoldenPath("tokenizer/demo.model")
                         : SharedPath("data/tokenizer/sentencepiece/python/test/test_model.model"));
  REQUIRE(good.size() > 10000);
  REQUIRE(LoadAndUse(good) == 1);
  const bool small = good.size() < 20000;
  size_t accepted = 0;
  for (size_t length = 0; length < good.size(); length += small ? 7 : 5003)
    accepted += LoadAndUse(good.substr(0, length));
  CHECK(accepted == 0);  // what is cut off is needed: the trainer's settings stand at the end

  std::mt19937 random(7);
  accepted = 0;
  const int rounds = small ? 1500 : 300;
  for (int round = 0; round < rounds; ++round) {
    std::string bad = good;
    const size_t changes = 1 + random() % 3;
    for (size_t i = 0; i < changes; ++i) {
      char& byte = bad[random() % bad.size()];
      byte = random() % 2 == 0 ? static_cast<char>(byte ^ 1 << random() % 8)
                               : static_cast<char>(random());
    }
    accepted += LoadAndUse(bad);
  }
  CHECK(accepted > 0);
  CHECK(accepted < static_cast<size_t>(rounds));
}

}  // namespace
}  // namespace tinyvlm
