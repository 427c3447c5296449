#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <random>

#include "base/clock.h"
#include "shared_data.h"
#include "text/bpe_parts.h"
#include "text/detokenizer.h"
#include "text/normalize.h"
#include "text/pre_split.h"
#include "text/token_ids.h"
#include "text/utf8.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

std::unique_ptr<Tokenizer> Load(const BpeParts& parts) {
  auto tokenizer = parts.Load();
  INFO(tokenizer.status().message());
  REQUIRE(tokenizer.ok());
  return std::move(*tokenizer);
}

// Qwen2's vocabulary and merges; the test case is skipped where they are missing.
BpeParts Qwen2() { return ReadQwen2Parts(SharedPath("data/tokenizer/qwen2")); }

std::string Stripped(std::string_view text) {
  const auto character = [](std::string_view t) { return NextUtf8(t).character; };
  while (!text.empty() && IsWhitespace(character(text))) text.remove_prefix(NextUtf8(text).length);
  size_t end = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = NextUtf8(text.substr(i));
    i += step.length;
    if (!IsWhitespace(step.character)) end = i;
  }
  return std::string(text.substr(0, end));
}

// The ids, token by token, through the streaming detokenizer.
std::string Stream(const Tokenizer& tokenizer, const Ids& ids) {
  Detokenizer detokenizer(&tokenizer);
  REQUIRE(detokenizer.Start({}, ids.size()).ok());
  std::string text;
  for (const int32_t id : ids) {
    const std::string_view piece = detokenizer.Push(id);
    REQUIRE(IsValidUtf8(piece));
    text += piece;
  }
  text += detokenizer.Finish();
  return text;
}

TEST_CASE("Qwen2's ids, decoded texts and prompts equal the reference's",
          "[text][bpe_tokenizer][golden]") {
  const auto path = GoldenPath("tokenizer/qwen2.json");
  BpeParts parts = Qwen2();
  const auto golden = ParseJson(ReadWholeFile(path));
  REQUIRE(golden.ok());
  const bool image_token = GENERATE(false, true);
  // as transformers' FastVLM folders have it
  if (image_token) parts.AddSpecial("<image>", kControlPiece);
  const auto tokenizer = Load(parts);
  CHECK(tokenizer->size() == parts.tokens.size());
  const Json::Object& added = *golden->Find("added")->object();
  for (const auto& [text, id] : added) CHECK(tokenizer->FindSpecial(text) == *id.int64());
  const auto ids_of = [&](const Json& one) {
    const Json* const with_image = one.Find("ids_with_image_token");
    return ReadIds(image_token && with_image != nullptr ? *with_image : *one.Find("ids"));
  };

  const GoldenCounts wanted = ReadGoldenCounts("qwen2.json");
  size_t cases = 0;
  for (const Json& one : *golden->Find("cases")->array()) {
    const std::string& text = *one.Find("text")->string();
    const Ids ids = ids_of(one);
    INFO("\"" << text << "\"");
    CHECK(Encode(*tokenizer, text, /*parse_special=*/true) == ids);
    const std::string& decoded = *one.Find("decoded")->string();
    if (!image_token) {
      CHECK(tokenizer->Decode(ids) == decoded);
      CHECK(Stream(*tokenizer, ids) == Stripped(decoded));
    }
    // Without special tokens no input gives one, and nothing is lost.
    const Ids plain = Encode(*tokenizer, text);
    for (const int32_t id : plain) CHECK_FALSE(tokenizer->IsControl(id));
    CHECK(tokenizer->Decode(plain) == NormalizeNfc(text));
    CHECK(*tokenizer->EncodeContinuation(text) == plain);
    ++cases;
  }
  CHECK(cases == wanted.cases);

  size_t decodes = 0;
  for (const Json& one : *golden->Find("decode")->array()) {
    const Ids ids = ReadIds(*one.Find("ids"));
    const std::string& decoded = *one.Find("decoded")->string();
    CHECK(tokenizer->Decode(ids) == decoded);
    CHECK(Stream(*tokenizer, ids) == Stripped(decoded));
    ++decodes;
  }
  CHECK(decodes == wanted.decodes);

  size_t prompts = 0;
  for (const Json& one : *golden->Find("prompts")->array()) {
    INFO(*one.Find("prompt")->string());
    // What stands between images is a text of its own.
    std::string_view rest = *one.Find("prompt")->string();
    Ids ids;
    for (size_t at = 0; at != std::string_view::npos;) {
      at = image_token ? std::string_view::npos : rest.find("<image>");
      const Ids piece = Encode(*tokenizer, rest.substr(0, at), /*parse_special=*/true);
      ids.insert(ids.end(), piece.begin(), piece.end());
      if (at != std::string_view::npos) {
        ids.push_back(-200);
        rest.remove_prefix(at + 7);
      }
    }
    CHECK(ids == ids_of(one));
    ++prompts;
  }
  CHECK(prompts == wanted.prompts);
}

TEST_CASE(
    "Qwen2's tokenizer loads quickly, encodes in proportion to the text, and says what memory it "
    "takes",
    "[text][bpe_tokenizer]") {
  const auto parts = Qwen2();
  const auto now = [] {
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  const double start = now();
  const auto tokenizer = Load(parts);
  const double loaded = now();
  CHECK(tokenizer->memory_bytes() < 8'000'000);
  std::cout << "Qwen2's tokenizer: loaded in " << loaded - start << " ms, "
            << static_cast<double>(tokenizer->memory_bytes()) / 1e6 << " MB\n";
  // Each would take hours where each merge looks at the whole piece again.
  std::string hostile[] = {std::string(Tokenizer::kMaxTextBytes, 'a'),
                           std::string(Tokenizer::kMaxTextBytes, ' '),
                           std::string(Tokenizer::kMaxTextBytes, '\n'),
                           "",
                           "",
                           ""};
  while (hostile[3].size() < Tokenizer::kMaxTextBytes - 8) hostile[3] += "\xF0\x9F\x98\x80";
  while (hostile[4].size() < Tokenizer::kMaxTextBytes - 8) hostile[4] += "abcabd";
  while (hostile[5].size() < Tokenizer::kMaxTextBytes - 8) hostile[5] += "<|im_start|";
  for (const std::string& text : hostile) {
    const double begin = now();
    const Ids ids = Encode(*tokenizer, text, true);
    std::cout << "  a megabyte of \"" << (text[0] == '\n' ? "\\n" : text.substr(0, 8))
              << "\": " << ids.size() << " tokens in " << now() - begin << " ms\n";
    CHECK(tokenizer->Decode(ids) == text);
  }
}

TEST_CASE("Pairs are merged by rank, equal ones from the left", "[text][bpe_tokenizer]") {
  BpeParts parts = BpeParts::Bytes();
  parts.AddMerge("b", "c");    // 256
  parts.AddMerge("a", "b");    // 257
  parts.AddMerge("a", "a");    // 258
  parts.AddMerge("aa", "aa");  // 259
  const auto tokenizer = Load(parts);
  CHECK(Encode(*tokenizer, "abc") == Ids{'a', 256});
  CHECK(Encode(*tokenizer, "ab") == Ids{257});
  CHECK(Encode(*tokenizer, "aaa") == Ids{258, 'a'});
  CHECK(Encode(*tokenizer, "aaaaaaa") == Ids{259, 258, 'a'});
  CHECK(Encode(*tokenizer, "").empty());
}

TEST_CASE("Merging equals the definition, on random tokenizers and texts",
          "[text][bpe_tokenizer]") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    BpeParts parts = BpeParts::Bytes();
    std::vector<std::string> texts;  // of tokens, by id from 256
    std::vector<std::pair<std::string, std::string>> merges;
    const auto any = [&] {
      return texts.empty() || random() % 2 == 0
                 ? std::string(1, static_cast<char>('a' + random() % 3))
                 : texts[random() % texts.size()];
    };
    while (merges.size() < 12) {
      const std::string left = any(), right = any();
      if (std::find(texts.begin(), texts.end(), left + right) != texts.end()) continue;
      parts.AddMerge(left, right);
      texts.push_back(left + right);
      merges.emplace_back(left, right);
    }
    const auto tokenizer = Load(parts);
    for (int i = 0; i < 10; ++i) {
      std::string text;
      for (size_t n = random() % 30; n > 0; --n)
        text.push_back(static_cast<char>('a' + random() % 3));
      std::vector<std::string> word;
      for (const char c : text) word.emplace_back(1, c);
      for (bool merged = true; merged;) {
        merged = false;
        for (size_t m = 0; m < merges.size() && !merged; ++m) {
          for (size_t at = 0; at + 1 < word.size() && !merged; ++at) {
            if (word[at] != merges[m].first || word[at + 1] != merges[m].second) continue;
            word[at] += word[at + 1];
            word.erase(word.begin() + static_cast<std::ptrdiff_t>(at) + 1);
            merged = true;
          }
        }
      }
      std::vector<std::string> found;
      for (const int32_t id : Encode(*tokenizer, text))
        found.emplace_back(tokenizer->TokenBytes(id));
      REQUIRE(found == word);
    }
  }
}

TEST_CASE("Special tokens are cut out first, control ones only when asked for",
          "[text][bpe_tokenizer]") {
  BpeParts parts = BpeParts::Bytes();
  parts.AddSpecial("<s>", kControlPiece);            // 256
  parts.AddSpecial("<s>x", kControlPiece);           // 257
  parts.AddSpecial("<tool>", kUserDefinedPiece);     // 258
  parts.AddSpecial("[PAD259]", kUnusedPiece);        // 259
  parts.AddSpecial("\xC3\xA9t", kUserDefinedPiece);  // 260, not in mapped characters
  parts.AddSpecial("[PAD261]", kUnusedPiece);
  const auto tokenizer = Load(parts);
  CHECK(tokenizer->size() == 261);  // what is unused at the end has no token
  CHECK(Encode(*tokenizer, "a<s>xb<s>", true) == Ids{'a', 257, 'b', 256});
  CHECK(Encode(*tokenizer, "<s>") == Ids{'<', 's', '>'});
  CHECK(Encode(*tokenizer, "<<tool>") == Ids{'<', 258});
  CHECK(Encode(*tokenizer, "[PAD259]", true).size() == 8);
  CHECK(Encode(*tokenizer, "\xC3\xA9t\xC3\xA9") == Ids{260, 0xC3, 0xA9});
  CHECK(Encode(*tokenizer, "e\xCC\x81t") ==
        Ids{0xC3, 0xA9, 't'});  // looked for before the text is normalised
  CHECK(tokenizer->FindSpecial("<tool>") == 258);
  CHECK(tokenizer->FindSpecial("<s>") == 256);
  CHECK_FALSE(tokenizer->FindSpecial("a").has_value());
  CHECK_FALSE(tokenizer->FindSpecial("[PAD259]").has_value());
  CHECK((tokenizer->IsControl(256) && !tokenizer->IsControl(258) && !tokenizer->IsControl(259) &&
         !tokenizer->IsControl('a')));
  CHECK(tokenizer->TokenBytes(258) == "<tool>");
  CHECK(tokenizer->TokenBytes(260) == "\xC3\xA9t");
  for (const int32_t id : {256, 259, 261, -1, -200, INT32_MAX, INT32_MIN})
    CHECK(tokenizer->TokenBytes(id).empty());
  for (const int32_t id : {261, -1, INT32_MAX, INT32_MIN}) CHECK_FALSE(tokenizer->IsControl(id));
  CHECK(tokenizer->Decode(Ids{256, 'a', 0xC3, 258, 259}) == "a\xEF\xBF\xBD<tool>");
}

TEST_CASE("Bad UTF-8 is encoded as replacement characters", "[text][bpe_tokenizer]") {
  const auto tokenizer = Load(BpeParts::Bytes());
  CHECK(tokenizer->Decode(Encode(*tokenizer,
                                 "a\xFF\xE2\x82"
                                 "b")) ==
        "a\xEF\xBF\xBD\xEF\xBF\xBD"
        "b");
  std::string bytes;
  for (const int32_t id : Encode(*tokenizer, "\xFF")) bytes += tokenizer->TokenBytes(id);
  CHECK(bytes == "\xEF\xBF\xBD");
}

TEST_CASE("A BPE text that is too long is refused", "[text][bpe_tokenizer]") {
  const auto tokenizer = Load(BpeParts::Bytes());
  CHECK(tokenizer->Encode(std::string(Tokenizer::kMaxTextBytes + 1, 'a'), false).status().code() ==
        ErrorCode::kInvalidArgument);
  CHECK(tokenizer->EncodeContinuation(std::string(Tokenizer::kMaxTextBytes + 1, 'a'))
            .status()
            .code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("A vocabulary that is not one is refused, saying which token or merge",
          "[text][bpe_tokenizer]") {
  const auto refused = [](const std::function<void(BpeParts*)>& damage) {
    BpeParts parts = BpeParts::Bytes();
    parts.AddMerge("a", "b");
    damage(&parts);
    const auto tokenizer = parts.Load();
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.status().code() == ErrorCode::kInvalidFile);
    return tokenizer.status().message();
  };
  CHECK_CONTAINS(refused([](BpeParts* p) {
                   p->tokens.clear();
                   p->types.clear();
                 }),
                 "a token for each of 256 bytes wanted, none for byte 0x00 found");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->tokens[65] += "z"; }), "none for byte 0x41 found");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->types[65] = kControlPiece; }),
                 "none for byte 0x41 found");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->types.pop_back(); }),
                 "a type for each of 257 tokens wanted, 256 types found");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->types[3] = 6; }),
                 "token 3 \"\xC4\x83\": type 1 (normal), 3 (control), 4 (user-defined) or 5 "
                 "(unused) wanted, 6 found");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->tokens[256] = std::string("a b"); }),
                 "token 256 \"a b\" is not in the characters of byte-level BPE");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->tokens[256] = std::string("\xFF"); }),
                 "token 256 \"\xEF\xBF\xBD\" is not in the characters");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->AddSpecial("\xFF", kControlPiece); }),
                 "token 257 \"\xEF\xBF\xBD\" is not valid UTF-8");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->AddSpecial("", kControlPiece); }),
                 "token 257 has no text");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->AddToken("ab"); }),
                 "token 257 \"ab\" exists already as 256");
  CHECK_CONTAINS(refused([](BpeParts* p) {
                   p->AddSpecial("<s>", kControlPiece);
                   p->AddSpecial("<s>", kUserDefinedPiece);
                 }),
                 "\"<s>\" exists already as 257");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string("ab"); }),
                 "merge 0 \"ab\": two tokens divided by one space wanted");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string("a b c"); }),
                 "two tokens divided by one space wanted");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string(" ab"); }),
                 "merge 0 \" ab\": the left side is not a token");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string("ab "); }),
                 "merge 0 \"ab \": the right side is not a token");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string("a c"); }),
                 "merge 0 \"a c\": what it makes is not a token");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges[0] = std::string("a \xE2\x82\xAC"); }),
                 "the right side is not in the characters of byte-level BPE");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->merges.push_back("a b"); }),
                 "merge 1 \"a b\" exists already as 0");
  CHECK_CONTAINS(refused([](BpeParts* p) { p->types[256] = kControlPiece; }),
                 "what it makes is not a token");
  BpeParts parts = BpeParts::Bytes();
  parts.AddToken(std::string(1025, 'a'));
  CHECK(parts.Load().status().code() == ErrorCode::kUnsupported);
  CHECK(parts.Load().status().message().size() < 200);
}

TEST_CASE("Damaged vocabularies load or are refused, and what loads works",
          "[text][bpe_tokenizer]") {
  std::mt19937 random(13);
  int loaded = 0;
  for (int round = 0; round < 3000; ++round) {
    BpeParts parts = BpeParts::Bytes();
    parts.AddMerge("a", "b");
    parts.AddMerge("ab", "ab");
    parts.AddSpecial("<s>", kControlPiece);
    for (size_t n = random() % 3; n > 0; --n) {
      std::string& text = random() % 2 == 0
                              ? parts.tokens[250 + random() % (parts.tokens.size() - 250)]
                              : parts.merges[random() % parts.merges.size()];
      if (random() % 4 == 0) {
        text.resize(random() % (text.size() + 3), 'b');
      } else if (!text.empty()) {
        text[random() % text.size()] = static_cast<char>(random());
      }
      parts.types[250 + random() % (parts.types.size() - 250)] = static_cast<int32_t>(random() % 7);
    }
    const auto tokenizer = parts.Load();
    if (!tokenizer.ok()) {
      REQUIRE(IsValidUtf8(tokenizer.status().message()));
      continue;
    }
    ++loaded;
    const std::string text = "ababab<s>\xC3\xA9 ab";
    REQUIRE((*tokenizer)->Decode(Encode(**tokenizer, text)) == text);
    for (const int32_t id : Encode(**tokenizer, text)) REQUIRE_FALSE((*tokenizer)->IsControl(id));
  }
  CHECK(loaded > 100);
}

// Tokens were found by a hash without a key, which is written down here: these all met in a
// five-hundredth of its table, where finding them took time by the square of their number.
TEST_CASE("No tokens can be chosen whose hashes meet", "[text][bpe_tokenizer]") {
  const auto met = [](uint64_t word) {
    uint64_t hash = (8 ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    return ((hash * 0x9E3779B97F4A7C15u) >> 32 & ((1u << 17) - 1)) < 256;
  };
  BpeParts chosen = BpeParts::Bytes(), ordinary = BpeParts::Bytes();
  std::mt19937_64 random(1);
  while (chosen.tokens.size() < 40'000) {
    std::string text(8, ' ');
    uint64_t drawn = random();
    for (char& c : text) {
      c = static_cast<char>('!' + drawn % 94);
      drawn /= 94;
    }
    uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof(word));
    if (ordinary.tokens.size() < 40'000) ordinary.AddToken(text);
    if (met(word)) chosen.AddToken(text);
  }
  const auto load_ms = [](const BpeParts& parts) {
    const double begin = NowMs();
    REQUIRE(parts.Load().ok());
    return NowMs() - begin;
  };
  const double ordinary_ms = std::min(load_ms(ordinary), load_ms(ordinary)),
               chosen_ms = std::min(load_ms(chosen), load_ms(chosen));
  INFO(ordinary_ms << " and " << chosen_ms << " ms");
  CHECK(chosen_ms < 10 * ordinary_ms + 500);
}

}  // namespace
}  // namespace tinyvlm
