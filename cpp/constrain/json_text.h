// Parts of a grammar: characters, strings and numbers as JSON writes them.
#ifndef TINYVLM_CONSTRAIN_JSON_TEXT_H_
#define TINYVLM_CONSTRAIN_JSON_TEXT_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/status.h"
#include "constrain/char_set.h"
#include "constrain/grammar.h"
#include "constrain/pattern.h"

namespace tinyvlm {

// A bound of numbers; an open one is not itself allowed.
struct NumberBound {
  double value = 0;
  bool open = false;
  friend auto operator<=>(const NumberBound&, const NumberBound&) = default;
};

// Adds parts between two states of a grammar, which must outlive it.
class JsonText {
 public:
  explicit JsonText(Grammar& grammar) : grammar_(grammar) {}

  // ---- plain text -------------------------------------------------------------

  // The texts that the automaton accepts, in UTF-8.
  void AddPlain(const CharAutomaton& automaton, Grammar::State from, Grammar::State to) {
    AddAutomaton(automaton, Form::kPlain, from, to);
  }

  // ---- strings ----------------------------------------------------------------

  // Any string, quotes included: characters may be escaped in every way that JSON knows.
  void AddAnyString(Grammar::State from, Grammar::State to);

  // A string of min to max characters; max SIZE_MAX: of any number from min on.
  void AddStringOfLength(size_t min, size_t max, Grammar::State from, Grammar::State to);

  // The strings whose content the automaton accepts. Only what must be escaped is.
  void AddString(const CharAutomaton& content, Grammar::State from, Grammar::State to);

  // The strings that are none of `names`.
  void AddOtherString(const std::vector<std::string>& names, Grammar::State from,
                      Grammar::State to);

  // ---- numbers ----------------------------------------------------------------

  // Whole numbers: those that a double holds exactly (below 2^53), without exponent. Others: of at
  // most 15 digits before and behind the point; without bounds they may have an exponent of two
  // digits. Errors: invalid_argument for a bound of more digits.
  Status AddNumber(bool whole, const std::optional<NumberBound>& min,
                   const std::optional<NumberBound>& max, Grammar::State from, Grammar::State to);

 private:
  enum class Form { kPlain, kJson };

  void AddAutomaton(const CharAutomaton& automaton, Form form, Grammar::State from,
                    Grammar::State to);
  void AddChars(const CharSet& chars, Form form, Grammar::State from, Grammar::State to);
  void AddUtf8(CharRange range, Grammar::State from, Grammar::State to);
  void AddAnyStringChar(Grammar::State from, Grammar::State to);
  void MakeInteger(const std::optional<NumberBound>& min, const std::optional<NumberBound>& max,
                   Grammar::State from, Grammar::State to);
  Status MakeNumber(const std::optional<NumberBound>& min, const std::optional<NumberBound>& max,
                    Grammar::State from, Grammar::State to);

  Grammar& grammar_;
  // Rules for sets that are more than single bytes, by form.
  std::map<std::pair<Form, CharSet>, Grammar::Rule> char_rules_;
  std::optional<Grammar::Rule> any_string_char_;
  // By whole or not and bounds.
  std::map<std::tuple<bool, std::optional<NumberBound>, std::optional<NumberBound>>, Grammar::Rule>
      number_rules_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_JSON_TEXT_H_
