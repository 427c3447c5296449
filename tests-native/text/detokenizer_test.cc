#include "text/detokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <set>

#include "catch_amalgamated.hpp"
#include "text/byte_tokenizer.h"
#include "text/utf8.h"

namespace {
size_t allocations = 0;
}

// Counts what this program allocates, for "no allocation per token". Not inlined: GCC would take
// malloc and delete for a pair.
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  std::abort();
}
__attribute__((noinline)) void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace tinyvlm {
namespace {

// Tokens are given as texts; their ids are their places in the list.
class ListTokenizer final : public Tokenizer {
 public:
  explicit ListTokenizer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}
  size_t size() const override { return tokens_.size(); }
  Result<std::vector<int32_t>> Encode(std::string_view, bool) const override {
    return std::vector<int32_t>();
  }
  Result<std::vector<int32_t>> EncodeContinuation(std::string_view) const override {
    return std::vector<int32_t>();
  }
  std::string_view TokenBytes(int32_t id) const override {
    return id < 0 || static_cast<size_t>(id) >= tokens_.size()
               ? std::string_view()
               : std::string_view(tokens_[static_cast<size_t>(id)]);
  }
  bool IsControl(int32_t) const override { return false; }
  std::optional<int32_t> FindSpecial(std::string_view) const override { return std::nullopt; }
  std::string Decode(std::span<const int32_t>) const override { return {}; }
  size_t memory_bytes() const override { return 0; }

 private:
  std::vector<std::string> tokens_;
};

// What Push returns token by token, and last what Finish returns.
std::vector<std::string> Stream(const std::vector<std::string>& tokens,
                                const std::vector<std::string>& stop = {}) {
  const ListTokenizer tokenizer(tokens);
  Detokenizer detokenizer(&tokenizer);
  REQUIRE(detokenizer.Start(stop, tokens.size()).ok());
  std::vector<std::string> out;
  std::string all;
  for (size_t i = 0; i < tokens.size(); ++i) {
    out.emplace_back(detokenizer.Push(static_cast<int32_t>(i)));
    CHECK(IsValidUtf8(out.back()));
    all += out.back();
    CHECK(detokenizer.text() == all);
  }
  out.emplace_back(detokenizer.Finish());
  all += out.back();
  CHECK(detokenizer.text() == all);
  return out;
}

using Pieces = std::vector<std::string>;

TEST_CASE("Half a character is held back until it is whole", "[text][detokenizer]") {
  CHECK(Stream({"a\xF0", "\x9F", "\x98", "\x80z"}) == Pieces{"a", "", "", "\xF0\x9F\x98\x80z", ""});
}

TEST_CASE("A character that never becomes whole is one U+FFFD", "[text][detokenizer]") {
  CHECK(Stream({"a", "\xF0", "\x9F"}) == Pieces{"a", "", "", "\xEF\xBF\xBD"});
  CHECK(Stream({"a", "\xF0\x9F", "b"}) == Pieces{"a", "",
                                                 "\xEF\xBF\xBD"
                                                 "b",
                                                 ""});
  CHECK(Stream({"\x80", "\x80"}) == Pieces{"\xEF\xBF\xBD", "\xEF\xBF\xBD", ""});
}

TEST_CASE("Surrounding white space never comes out, inner white space waits for text",
          "[text][detokenizer]") {
  CHECK(Stream({" ", "\n", " A", " ", "b \xE3\x80\x80", "\n"}) ==
        Pieces{"", "", "A", "", " b", "", ""});
  CHECK(Stream({" ", "\n"}) == Pieces{"", "", ""});
  CHECK(Stream({}) == Pieces{""});
}

TEST_CASE("Text is never released beyond the start of a stop string", "[text][detokenizer]") {
  CHECK(Stream({"foo E", "N", "X E", "ND", "more"}, {"END"}) ==
        Pieces{"foo", "", " ENX", "", "", ""});
  CHECK(Stream({"foo E", "N"}, {"END"}) == Pieces{"foo", "", " EN"});
  CHECK(Stream({"a\n", "User", "x"}, {"\nUser"}) == Pieces{"a", "", "", ""});
  CHECK(Stream({"aabaa", "b", "aac"}, {"aabaac"}) == Pieces{"", "aab", "", ""});
  CHECK(Stream({"\n", "x"}, {"\n"}) ==
        Pieces{"", "", ""});  // also in the white space that is dropped
  CHECK(Stream({" \n\n", "ab", "c"}, {"\nab"}) == Pieces{"", "", "", ""});
}

TEST_CASE("The stop string that is completed first counts, among equals the longest",
          "[text][detokenizer]") {
  CHECK(Stream({"xabcd"}, {"abcd", "bc"}) == Pieces{"xa", ""});
  CHECK(Stream({"x", "a", "b", "c", "d"}, {"abcd", "bc"}) == Pieces{"x", "", "", "a", "", ""});
  CHECK(Stream({"xabc"}, {"bc", "abc"}) == Pieces{"x", ""});
}

TEST_CASE("A stop string must be text", "[text][detokenizer]") {
  const ByteTokenizer tokenizer;
  Detokenizer detokenizer(&tokenizer);
  CHECK(detokenizer.Start(std::vector<std::string>{"a", ""}, 8).code() ==
        ErrorCode::kInvalidArgument);
  CHECK(detokenizer.Start(std::vector<std::string>{"\xFF"}, 8).code() ==
        ErrorCode::kInvalidArgument);
}

// The definition: decode all, cut before the stop string that ends first, strip.
std::string WholeAnswer(const std::string& bytes, const std::vector<std::string>& stop) {
  std::string text;
  AppendValidUtf8(bytes, &text);
  size_t end = std::string::npos, begin = std::string::npos;
  for (const std::string& s : stop) {
    const size_t at = text.find(s);
    if (at == std::string::npos) continue;
    if (at + s.size() < end || (at + s.size() == end && at < begin)) {
      end = at + s.size();
      begin = at;
    }
  }
  if (begin != std::string::npos) text.resize(begin);
  const auto is_space = [](char c) { return c == ' ' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  size_t first = 0;
  while (first < text.size() && is_space(text[first])) ++first;
  return text.substr(first);
}

TEST_CASE("Streaming equals decoding the whole answer, however it is divided",
          "[text][detokenizer]") {
  std::mt19937 random(1);
  const std::vector<std::string> atoms = {"a",    "b",    "a",    "b",    " ",  "\n",      "\xC3",
                                          "\xA9", "\xE2", "\x82", "\xAC", "ab", "\xC3\xA9"};
  const std::vector<std::vector<std::string>> stops = {{},
                                                       {"ab"},
                                                       {"aba", "bb"},
                                                       {"\n\n"},
                                                       {" a"},
                                                       {"\xC3\xA9", "abab"},
                                                       {"\xEF\xBF\xBD"},
                                                       {"aab", "ab", "b b"}};
  std::set<std::string> seen;
  for (int round = 0; round < 20000; ++round) {
    const std::vector<std::string>& stop = stops[random() % stops.size()];
    std::string bytes;
    const size_t length = random() % 14;
    for (size_t i = 0; i < length; ++i) bytes += atoms[random() % atoms.size()];
    std::vector<std::string> tokens;
    for (size_t i = 0; i < bytes.size();) {
      const size_t n = std::min<size_t>(1 + random() % 4, bytes.size() - i);
      tokens.push_back(bytes.substr(i, n));
      i += n;
    }
    const ListTokenizer tokenizer(tokens);
    Detokenizer detokenizer(&tokenizer);
    REQUIRE(detokenizer.Start(stop, tokens.size()).ok());
    std::string streamed;
    for (size_t i = 0; i < tokens.size(); ++i)
      streamed += detokenizer.Push(static_cast<int32_t>(i));
    streamed += detokenizer.Finish();
    if (streamed != WholeAnswer(bytes, stop))
      FAIL("round " << round << ": \"" << streamed << "\" instead of \"" << WholeAnswer(bytes, stop)
                    << "\"");
    if (streamed != detokenizer.text()) FAIL("round " << round);
    seen.insert(streamed);
  }
  CHECK(seen.size() > 1000);
}

TEST_CASE("Pushing tokens allocates nothing", "[text][detokenizer]") {
  const ByteTokenizer tokenizer;
  Detokenizer detokenizer(&tokenizer);
  const std::vector<std::string> stop = {"never", "\n\nUser:"};
  REQUIRE(detokenizer.Start(stop, 5000).ok());
  const size_t before = allocations;
  for (int32_t i = 0; i < 5000; ++i) detokenizer.Push(i % 256);
  detokenizer.Finish();
  CHECK(allocations == before);
  CHECK(detokenizer.text().size() > 5000);
}

TEST_CASE("A second answer starts afresh", "[text][detokenizer]") {
  const ByteTokenizer tokenizer;
  Detokenizer detokenizer(&tokenizer);
  REQUIRE(detokenizer.Start(std::vector<std::string>{"b"}, 4).ok());
  detokenizer.Push('a');
  detokenizer.Push('b');
  CHECK(detokenizer.stopped());
  CHECK(detokenizer.Push('c').empty());
  REQUIRE(detokenizer.Start({}, 4).ok());
  CHECK_FALSE(detokenizer.stopped());
  CHECK(detokenizer.text().empty());
  CHECK(detokenizer.Push('b') == "b");
}

TEST_CASE("White space around an answer stays where it is wanted", "[text][detokenizer]") {
  const ByteTokenizer tokenizer;
  Detokenizer detokenizer(&tokenizer);
  for (const bool strip : {false, true, false}) {
    REQUIRE(detokenizer.Start({}, 10, strip).ok());
    std::string text;
    for (const char c : std::string_view(" \na b \t")) text += detokenizer.Push(c);
    text += detokenizer.Finish();
    CHECK(text == (strip ? "a b" : " \na b \t"));
    CHECK(detokenizer.text() == text);
  }
}

}  // namespace
}  // namespace tinyvlm
