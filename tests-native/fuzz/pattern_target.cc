// Regular expressions. What an expression makes it accepts, by the matcher, by the plain follower
// and by the automaton itself. The first bytes say which texts are made.
#include <random>
#include <string>
#include <string_view>

#include "base/json.h"
#include "constrain/make_text.h"
#include "constrain/pattern.h"
#include "constrain/plain_follower.h"
#include "constrain/response_format.h"
#include "fuzz/fuzz.h"
#include "text/utf8.h"

using namespace tinyvlm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  if (size < 2) return 0;
  std::mt19937 random(data[0]);
  const size_t length = data[1] % 32;
  const ExactCopy copy({data + 2, size - 2});
  const std::string_view pattern = TextOf(copy.bytes());
  PatternWork work;
  const Result<CharAutomaton> anywhere = ParsePattern(pattern, PatternMatch::kAnywhere, &work);
  MustBeTold(anywhere.status());
  MustHold(IsValidUtf8(anywhere.status().message()), "an error is UTF-8");
  const Result<CharAutomaton> whole = ParsePattern(pattern, PatternMatch::kWhole, &work);
  MustBeTold(whole.status());
  if (!whole.ok() || !IsValidUtf8(pattern)) return 0;

  std::string quoted;
  AppendJsonString(pattern, &quoted);
  const Result<Json> format = ParseJson("{\"pattern\":" + quoted + "}");
  MustHold(format.ok(), "a pattern can be put into JSON");
  const auto grammar = ParseResponseFormat(*format);
  MustBeTold(grammar.status());
  if (!grammar.ok()) return 0;
  Matcher matcher(*grammar);
  const std::optional<std::string> text = MakeText(matcher, random, length);
  if (!text.has_value()) {
    MustHold(matcher.full() || matcher.crowded() || length > 0, "a text can be completed");
    return 0;
  }
  MustHold(IsValidUtf8(*text), "a text is UTF-8");
  MustHold(Allows(matcher, *text), "what was made is allowed");
  MustHold(Accepts(*whole, *text), "the automaton accepts what was made");
  if (anywhere.ok())
    MustHold(Accepts(*anywhere, *text), "what matches as a whole matches somewhere");
  if ((*grammar)->states() < 300 && text->size() < 100) {
    const PlainFollower plain(*grammar);
    MustHold(plain.accepts(plain.Next(plain.start(), *text)), "the plain follower accepts it");
    // A text that is wrong in one place is judged the same by both.
    std::string other = *text;
    if (!other.empty()) {
      other[random() % other.size()] ^= static_cast<char>(1 + random() % 15);
      MustHold(plain.accepts(plain.Next(plain.start(), other)) == Allows(matcher, other),
               "matcher and plain follower agree");
      if (IsValidUtf8(other))
        MustHold(Accepts(*whole, other) == Allows(matcher, other), "matcher and automaton agree");
    }
  }
  return 0;
}
