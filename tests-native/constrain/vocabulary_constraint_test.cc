#include "constrain/vocabulary_constraint.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/utf8_encode.h"
#include "catch_amalgamated.hpp"
#include "constrain/follow.h"
#include "constrain/plain_follower.h"
#include "constrain/schemas.h"

namespace tinyvlm {
namespace {

// Ids are tokens with these bytes; the last one is the stop token, which has none.
class TokenList final : public Tokenizer {
 public:
  explicit TokenList(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
    tokens_.emplace_back();
  }
  int32_t stop_id() const { return static_cast<int32_t>(tokens_.size()) - 1; }
  size_t size() const override { return tokens_.size(); }
  Result<std::vector<int32_t>> Encode(std::string_view, bool) const override {
    return Error(ErrorCode::kUnsupported, "not encoded here");
  }
  Result<std::vector<int32_t>> EncodeContinuation(std::string_view) const override {
    return Error(ErrorCode::kUnsupported, "not encoded here");
  }
  std::string_view TokenBytes(int32_t id) const override {
    return tokens_[static_cast<size_t>(id)];
  }
  bool IsControl(int32_t id) const override { return id == stop_id(); }
  std::optional<int32_t> FindSpecial(std::string_view) const override { return std::nullopt; }
  std::string Decode(std::span<const int32_t>) const override { return ""; }
  size_t memory_bytes() const override { return 0; }

 private:
  std::vector<std::string> tokens_;
};

VocabularyConstraint Constrain(std::shared_ptr<const Grammar> grammar, const TokenList& tokens) {
  return VocabularyConstraint(std::move(grammar),
                              std::make_shared<const TokenTrie>(tokens, tokens.size()), tokens,
                              {tokens.stop_id()});
}

TEST_CASE("A token is allowed exactly where some choice goes on with it",
          "[constrain][vocabulary_constraint]") {
  std::mt19937 random(5);
  const auto word = [&](size_t most) {
    std::string text;
    for (size_t length = random() % (most + 1); text.size() < length;)
      text += "ab\xc3\xa9"[random() % 4];
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> tokens;
    // Some are there twice.
    for (int i = 0; i < 30; ++i) tokens.push_back(std::string(1, 'a').append(word(3)));
    for (int i = 0; i < 30; ++i) tokens.push_back(word(3));
    for (const char* const byte : {"a", "b", "\xc3", "\xa9"}) tokens.emplace_back(byte);
    const TokenList vocabulary(tokens);
    std::set<std::string> choices;
    std::string format;
    while (choices.size() < 6) {
      const std::string choice = word(6);
      std::string quoted;
      AppendJsonString(choice, &quoted);
      if (!ParseJson(quoted).ok()) continue;  // not UTF-8
      if (!choices.insert(choice).second) continue;
      if (!format.empty()) format += ',';
      format += quoted;
    }
    VocabularyConstraint constraint =
        Constrain(GrammarOf("{\"choices\":[" + format + "]}"), vocabulary);
    const auto begins = [&](const std::string& text) {
      return std::any_of(choices.begin(), choices.end(),
                         [&](const std::string& choice) { return choice.starts_with(text); });
    };
    for (int answer = 0; answer < 5; ++answer) {
      constraint.Start();
      for (std::string text;;) {
        const auto allowed = constraint.Allowed();
        REQUIRE(allowed.ok());
        REQUIRE(allowed->size() == vocabulary.size());
        std::vector<int32_t> ids;
        for (size_t i = 0; i < vocabulary.size(); ++i) {
          const int32_t id = static_cast<int32_t>(i);
          const std::string bytes(vocabulary.TokenBytes(id));
          const bool right = id == vocabulary.stop_id() ? choices.count(text) == 1
                                                        : !bytes.empty() && begins(text + bytes);
          if (((*allowed)[i] != 0) != right) FAIL("\"" << text << "\" and \"" << bytes << "\"");
          if (right) ids.push_back(id);
        }
        const bool only_stop = ids.size() == 1 && ids[0] == vocabulary.stop_id();
        REQUIRE(constraint.complete() == only_stop);
        const int32_t id = ids[random() % ids.size()];
        if (id == vocabulary.stop_id()) break;
        REQUIRE(constraint.Push(id).ok());
        text += vocabulary.TokenBytes(id);
      }
    }
  }
}

TEST_CASE("A token is allowed exactly where its bytes can be followed, however often it is asked",
          "[constrain][vocabulary_constraint]") {
  std::mt19937 random(6);
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const std::string letters = "{}[]\",:0129.-eatruflsn\\u \xc3\xa9";
  for (int i = 0; i < 6000; ++i) {
    std::string token;
    for (size_t length = 2 + random() % 6; token.size() < length;)
      token += letters[random() % letters.size()];
    tokens.push_back(token);
  }
  const TokenList vocabulary(tokens);
  for (const char* const schema :
       {R"({"type":"array","items":{"$ref":"#"},"maxItems":3})", "true",
        R"({"properties":{"a":{"type":"string","maxLength":12},"nu":{"type":"number"}},
            "additionalProperties":{"$ref":"#"},"type":"object"})"}) {
    const auto grammar = GrammarOfSchema(schema);
    VocabularyConstraint constraint = Constrain(grammar, vocabulary);
    Matcher plain(grammar);
    for (int answer = 0; answer < 12; ++answer) {
      constraint.Start();
      Matcher::Set set = plain.start();
      for (int step = 0; step < 60 && plain.continues(set); ++step) {
        const auto allowed = constraint.Allowed();
        REQUIRE(allowed.ok());
        std::vector<int32_t> ids;
        for (int32_t id = 0; id < vocabulary.stop_id(); ++id) {
          Matcher::Set next = set;
          for (const char c : vocabulary.TokenBytes(id))
            next = plain.Next(next, static_cast<uint8_t>(c));
          const bool right = next != Matcher::kNone;
          if (((*allowed)[static_cast<size_t>(id)] != 0) != right) FAIL(vocabulary.TokenBytes(id));
          if (right) ids.push_back(id);
        }
        REQUIRE((*allowed)[static_cast<size_t>(vocabulary.stop_id())] == plain.accepts(set));
        const int32_t id = ids[random() % ids.size()];
        REQUIRE(constraint.Push(id).ok());
        for (const char c : vocabulary.TokenBytes(id))
          set = plain.Next(set, static_cast<uint8_t>(c));
      }
    }
  }
}

// Tokens of every kind that a vocabulary has: all bytes, words with and without a space before
// them, characters of every length, parts of characters, runs, escapes, punctuation.
TokenList MixedVocabulary(std::mt19937& random) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const auto add = [&](size_t count, size_t longest, const std::vector<std::string>& parts) {
    for (size_t i = 0; i < count; ++i) {
      std::string token;
      for (size_t length = 1 + random() % longest; length > 0; --length)
        token += parts[random() % parts.size()];
      tokens.push_back(token);
    }
  };
  add(60, 5, {"a", "b", "c", "t", "r", "u", "e"});
  add(40, 5, {"a", "Z", "_", "7", "0"});
  add(40, 5, {" ", "a", "b", "T", "1"});
  add(60, 4, {"a", ".", "-", "é", "ж", "字", "\u20ac", "😀", "\u2027", "\u202a", " "});
  add(20, 3, {"\u2028", "\u2029", "a", "é"});
  add(60, 4, {"\"", ",", ":", "{", "}", "[", "]", "a", "1"});
  add(40, 4, {"\\", "u", "n", "d8", "\"", "00", "e9"});
  add(30, 3, {"\n", "\t", "\x7f", "a", " "});
  add(30, 3, {"\xe2", "\x80", "\xa8", "\xf0\x9f", "\xc3", "a", "\xed\xa0\x80"});
  add(40, 4, {"1", "0", "9", ".", "-", "e"});
  for (const size_t length : {23u, 24u, 25u, 60u}) {
    tokens.emplace_back(length, ' ');
    tokens.emplace_back(length, 'a');
    tokens.push_back(std::string(length - 1, 'a') + "é");
  }
  return TokenList(tokens);
}

std::string RandomSchema(std::mt19937& random, int depth) {
  const auto number = [&](int most) {
    return std::to_string(static_cast<int>(random() % static_cast<unsigned>(most)));
  };
  const auto child = [&] { return RandomSchema(random, depth - 1); };
  switch (random() % (depth > 0 ? 9 : 6)) {
    case 0:
      return R"({"type":"string","minLength":)" + number(4) + R"(,"maxLength":)" +
             std::to_string(4 + random() % 60) + "}";
    case 1:
      return R"({"type":["string","null"],"minLength":)" + number(30) + "}";
    case 2: {
      constexpr const char* kPatterns[] = {"^.{2,30}$",
                                           "^[a-z]{1,25}$",
                                           "^\\\\w+$",
                                           "^[\\\\w ]{3,}$",
                                           "a.b",
                                           "^[^a]{1,9}$",
                                           "^(\\\\d{1,3}-)*[a-zé ]+$",
                                           "^\\\\S{20}$"};
      return R"({"type":"string","pattern":")" + std::string(kPatterns[random() % 8]) + "\"}";
    }
    case 3:
      return R"({"type":"integer","minimum":)" + number(40) + R"(,"maximum":)" +
             std::to_string(40 + random() % 2000) + "}";
    case 4:
      return R"({"type":"number","minimum":-)" + number(9) + ".5}";
    case 5:
      return R"({"enum":["a b","ab",1,null,"é)" + number(100) + R"(",[true]]})";
    case 6:
      return R"({"type":"array","items":)" + child() + R"(,"maxItems":)" + number(4) + "}";
    case 7:
      return R"({"anyOf":[)" + child() + "," + child() + "]}";
    default:
      return R"({"type":"object","properties":{"a":)" + child() + R"(,"ab":)" + child() +
             R"(},"required":["ab"],"additionalProperties":)" +
             (random() % 2 == 0 ? "false" : child()) + "}";
  }
}

TEST_CASE("Masks are those of the plain definition", "[constrain][vocabulary_constraint]") {
  std::mt19937 random(7);
  const TokenList vocabulary = MixedVocabulary(random);
  std::vector<int32_t> by_bytes(static_cast<size_t>(vocabulary.stop_id()));
  for (size_t i = 0; i < by_bytes.size(); ++i) by_bytes[i] = static_cast<int32_t>(i);
  std::sort(by_bytes.begin(), by_bytes.end(), [&](int32_t a, int32_t b) {
    return vocabulary.TokenBytes(a) < vocabulary.TokenBytes(b);
  });
  std::vector<std::string> formats = {
      R"({"pattern":"\\d{3}-\\d{4}"})", R"({"pattern":"(.|\\n){1,40}"})",
      R"({"pattern":"[a-z ]{0,30}é?"})", R"({"pattern":"[\\s\\S]*"})",
      R"({"choices":["a","ab","a b","éa","true"]})"};
  for (const char* const schema : kSchemas)
    formats.push_back(R"({"schema":)" + std::string(schema) + "}");
  for (int i = 0; i < 60; ++i) formats.push_back(R"({"schema":)" + RandomSchema(random, 3) + "}");
  size_t masks = 0;
  for (const std::string& format : formats) {
    INFO(format);
    const auto grammar = GrammarOf(format);
    const PlainFollower plain(grammar);
    VocabularyConstraint constraint = Constrain(grammar, vocabulary);
    for (int answer = 0; answer < 2; ++answer) {
      constraint.Start();
      PlainFollower::Places places = plain.start();
      for (int step = 0; step < 5; ++step) {
        const auto allowed = constraint.Allowed();
        REQUIRE(allowed.ok());
        ++masks;
        std::vector<int32_t> ids;
        std::string last;
        std::vector<PlainFollower::Places> behind{places};  // so many bytes of `last`
        for (const int32_t id : by_bytes) {
          const std::string bytes(vocabulary.TokenBytes(id));
          size_t shared = 0;
          while (shared + 1 < behind.size() && shared < bytes.size() &&
                 bytes[shared] == last[shared])
            ++shared;
          behind.resize(shared + 1);
          for (size_t i = shared; i < bytes.size() && !behind.back().empty(); ++i)
            behind.push_back(plain.Next(behind.back(), static_cast<uint8_t>(bytes[i])));
          last = bytes;
          const bool right = behind.size() == bytes.size() + 1 && !behind.back().empty();
          if (((*allowed)[static_cast<size_t>(id)] != 0) != right)
            FAIL("step " << step << ": token \"" << bytes << "\": " << right << " is right");
          if (right) ids.push_back(id);
        }
        REQUIRE(((*allowed)[static_cast<size_t>(vocabulary.stop_id())] != 0) ==
                plain.accepts(places));
        if (ids.empty()) break;
        // Long tokens lead deepest.
        int32_t id = ids[random() % ids.size()];
        for (int draw = 0; draw < 3 && step != 0; ++draw) {
          const int32_t other = ids[random() % ids.size()];
          if (vocabulary.TokenBytes(other).size() > vocabulary.TokenBytes(id).size()) id = other;
        }
        REQUIRE(constraint.Push(id).ok());
        places = plain.Next(places, vocabulary.TokenBytes(id));
      }
    }
  }
  CHECK(masks > 800);
}

TEST_CASE("A class of characters leads where each of its characters leads",
          "[constrain][matcher]") {
  const auto utf8 = [](char32_t c) {
    std::string bytes;
    AppendUtf8(c, &bytes);
    return bytes;
  };
  std::vector<std::vector<std::string>> classes(kCharClasses);
  for (char32_t c = 0; c <= 0x10ffff; c += c < 0x3100 ? 1 : 0x3d) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    for (size_t i = 0; i < kCharClasses; ++i) {
      const bool in = c < 0x80 ? InClass(static_cast<CharClass>(i), static_cast<uint8_t>(c))
                               : i == kStringText && c != 0x2028 && c != 0x2029;
      if (in) classes[i].push_back(utf8(c));
    }
  }
  CHECK(classes[kLowercase].size() == 26);
  CHECK(classes[kWord].size() == 63);
  CHECK(classes[kWords].size() == 64);
  std::mt19937 random(8);
  size_t mixed = 0, together = 0;
  for (const char* const schema : kSchemas) {
    INFO(schema);
    const auto grammar = GrammarOfSchema(schema);
    Matcher matcher(grammar);
    std::string text = MadeText(matcher, random, 20);
    text.resize(random() % (text.size() + 1));
    Matcher::Set set = matcher.start();
    for (const char byte : text) set = matcher.Next(set, static_cast<uint8_t>(byte));
    for (size_t i = 0; i < kCharClasses; ++i) {
      std::set<Matcher::Set> behind;
      for (const std::string& c : classes[i]) {
        Matcher::Set at = set;
        for (const char byte : c) at = matcher.Next(at, static_cast<uint8_t>(byte));
        behind.insert(at);
      }
      const Matcher::Set next = matcher.Next(set, static_cast<CharClass>(i));
      if (behind.size() > 1) {
        ++mixed;
        CHECK(next == Matcher::kMixed);
      } else {
        ++together;
        CHECK(next == *behind.begin());
      }
    }
  }
  CHECK(mixed > 20);
  CHECK(together > 20);
}

TEST_CASE("A vocabulary that cannot continue a text is an error",
          "[constrain][vocabulary_constraint]") {
  const TokenList vocabulary({"a", "b"});
  VocabularyConstraint constraint = Constrain(GrammarOf(R"({"choices":["ac"]})"), vocabulary);
  REQUIRE(constraint.Allowed().ok());
  REQUIRE(constraint.Push(0).ok());
  const auto allowed = constraint.Allowed();
  REQUIRE_FALSE(allowed.ok());
  CHECK(allowed.status().code() == ErrorCode::kUnsupported);
  CHECK_THAT(allowed.status().message(), Catch::Matchers::ContainsSubstring("after 1 bytes"));
  constraint.Start();
  CHECK(constraint.Allowed().ok());
}

TEST_CASE("What is remembered of a text is forgotten without losing the place",
          "[constrain][matcher]") {
  Matcher matcher(GrammarOfSchema(R"({"type":"array","items":{"$ref":"#"}})"));
  std::string text;
  Matcher::Set set = matcher.start();
  bool forgot = false;
  // Each depth is a set of its own.
  for (int depth = 0; depth < 9000; ++depth) {
    set = matcher.Next(set, '[');
    REQUIRE(set != Matcher::kNone);
    if (!matcher.crowded()) continue;
    forgot = true;
    set = matcher.Forget(set);
    REQUIRE_FALSE(matcher.crowded());
  }
  REQUIRE(forgot);
  for (int depth = 0; depth < 9000; ++depth) {
    REQUIRE_FALSE(matcher.accepts(set));
    set = matcher.Next(set, ']');
    REQUIRE(set != Matcher::kNone);
    if (matcher.crowded()) set = matcher.Forget(set);
  }
  CHECK(matcher.accepts(set));
  CHECK_FALSE(matcher.continues(set));
}

TEST_CASE("A format that can be read in very many ways is an error, not a long wait",
          "[constrain][vocabulary_constraint]") {
  std::vector<std::string> tokens;
  for (int i = 0; i < 20000; ++i) {
    std::string token;
    for (int bit = 0; bit < 15; ++bit) token += (i >> bit) % 2 == 0 ? 'a' : 'b';
    tokens.push_back(token);
  }
  const TokenList vocabulary(tokens);
  // A deterministic automaton for it has 2 to the 3000 states.
  VocabularyConstraint constraint =
      Constrain(GrammarOf(R"({"pattern":"(a|b)*a(a|b){3000}"})"), vocabulary);
  for (int step = 0; step < 400; ++step) {
    const auto allowed = constraint.Allowed();
    if (!allowed.ok()) {
      CHECK(allowed.status().code() == ErrorCode::kUnsupported);
      CHECK_THAT(allowed.status().message(), Catch::Matchers::ContainsSubstring("too many ways"));
      return;
    }
    REQUIRE(constraint.Push(static_cast<int32_t>(step * 37 % 20000)).ok());
  }
  FAIL("no error");
}

}  // namespace
}  // namespace tinyvlm
