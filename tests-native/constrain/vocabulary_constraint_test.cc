#include "constrain/vocabulary_constraint.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "constrain/follow.h"

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
