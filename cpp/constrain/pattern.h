// Regular expressions as JSON Schema and JavaScript write them (ECMA-262 with its flag u), as
// automata over characters.
#ifndef TINYVLM_CONSTRAIN_PATTERN_H_
#define TINYVLM_CONSTRAIN_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "constrain/char_set.h"

namespace tinyvlm {

// A non-deterministic automaton whose edges are characters.
struct CharAutomaton {
  // Larger ones are refused.
  static constexpr size_t kMaxStates = size_t{1} << 15;

  struct Edge {
    bool empty = false;  // takes no character
    CharSet chars;       // of the one that it takes
    uint32_t to = 0;
  };

  uint32_t AddState() {
    states.emplace_back();
    return static_cast<uint32_t>(states.size() - 1);
  }

  std::vector<std::vector<Edge>> states;
  uint32_t start = 0, end = 0;
};

// What may still be spent on patterns, about in nanoseconds; shared by all of one response format,
// so that a hostile one ends soon. Functions that run out of it fail with invalid_argument.
struct PatternWork {
  size_t left = size_t{1} << 27;

  bool Spend(size_t amount) {
    const bool enough = amount <= left;
    left = enough ? left - amount : 0;
    return enough;
  }
};

// Where a pattern must match.
enum class PatternMatch {
  kWhole,     // all of the text
  kAnywhere,  // some part of the text, as in JSON Schema
};

// Understood are characters and their escapes, `.`, classes, \d \D \s \S \w \W, groups (named or
// not; they capture nothing), |, * + ? {n} {n,} {n,m} (lazy ones are the same), ^ and $. Errors
// (invalid_argument, with the offset in bytes): what is no such expression; unsupported are
// references to groups, looking ahead and behind, \b, \p and modifiers; more than kMaxStates.
Result<CharAutomaton> ParsePattern(std::string_view pattern, PatternMatch match, PatternWork* work);

// The texts that both accept. Errors: invalid_argument beyond kMaxStates.
Result<CharAutomaton> Intersect(const CharAutomaton& a, const CharAutomaton& b, PatternWork* work);

// The texts of min to max characters; max SIZE_MAX: of any number from min on. Errors: as above.
Result<CharAutomaton> CharCount(size_t min, size_t max);

// Whether `text`, valid UTF-8, is accepted.
bool Accepts(const CharAutomaton& automaton, std::string_view text);

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_PATTERN_H_
