#include "constrain/json_text.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdlib>
#include <tuple>

#include "base/json.h"
#include "base/utf8_encode.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

constexpr size_t kMaxDigits = 15;  // before the point and behind it, where no bound has more

// The characters that a JSON string cannot have as they are.
CharSet Escaped() { return {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}; }

// ---- decimal numbers ------------------------------------------------------------

// A number that is not negative, without needless zeros: 0 is {"0", ""}.
struct Decimal {
  std::string whole, fraction;
};

// The shortest decimal number that is read as |value|; none where it has too many digits.
std::optional<Decimal> ToDecimal(double value) {
  value = std::fabs(value);
  std::string text;
  for (int digits = 0; digits < 17; ++digits) {
    text = Format("%.*e", digits, value);
    if (ParseDouble(text) == value) break;
  }
  const size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (std::abs(exponent) > 16) {
    if (value == 0) return Decimal{"0", ""};
    return std::nullopt;
  }
  std::string digits = text.substr(0, 1) + (e > 2 ? text.substr(2, e - 2) : "");
  if (exponent < 0) digits.insert(0, static_cast<size_t>(-exponent), '0');
  const size_t whole = exponent < 0 ? 1 : static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  Decimal result{digits.substr(0, whole), digits.substr(whole)};
  while (!result.fraction.empty() && result.fraction.back() == '0') result.fraction.pop_back();
  return result;
}

struct DecimalBound {
  Decimal value;
  bool open = false;
};

// The decimal numbers from `low` to `high`, digit by digit. A text that lies between two decimal
// numbers is read as a double between the doubles that those are read as, so comparing digits is
// exact.
class DecimalRange {
 public:
  DecimalRange(Grammar& grammar, const DecimalBound& low, const DecimalBound& high,
               bool with_fraction, Grammar::State to)
      : grammar_(grammar),
        low_(low),
        high_(high),
        with_fraction_(with_fraction),
        max_fraction_(
            std::max({kMaxDigits, low.value.fraction.size(), high.value.fraction.size()})),
        to_(to) {}

  void Add(Grammar::State from) {
    for (size_t n = low_.value.whole.size(); n <= high_.value.whole.size(); ++n) {
      const bool at_low = n == low_.value.whole.size(), at_high = n == high_.value.whole.size();
      grammar_.AddEmpty(from, Whole({n, 0, at_low, at_high}));
    }
  }

 private:
  // What is known behind some digits: how many there are (of n before the point; n is 0 behind it),
  // and whether they are still those of the bounds.
  struct Position {
    size_t n, digits;
    bool at_low, at_high;
    friend auto operator<=>(const Position&, const Position&) = default;
  };

  // The state for a position before the point.
  Grammar::State Whole(Position at) {
    const auto [found, added] = states_.try_emplace(at, 0);
    if (!added) return found->second;
    const Grammar::State state = grammar_.AddState();
    states_[at] = state;
    if (at.digits == at.n) {
      if (MayEnd({0, 0, at.at_low, at.at_high})) grammar_.AddEmpty(state, to_);
      if (with_fraction_) {
        const Grammar::State point = grammar_.AddState();
        grammar_.AddBytes(state, '.', '.', point);
        AddDigits(point, {0, 0, at.at_low, at.at_high});
      }
      return state;
    }
    const char least = at.digits == 0 && at.n > 1 ? '1' : '0';
    const char first = at.at_low ? low_.value.whole[at.digits] : least;
    const char last = at.at_high ? high_.value.whole[at.digits] : '9';
    AddRange(state, at, first, last);
    return state;
  }

  // The state behind a digit of the fraction.
  Grammar::State Fraction(Position at) {
    const auto [found, added] = states_.try_emplace(at, 0);
    if (!added) return found->second;
    const Grammar::State state = grammar_.AddState();
    states_[at] = state;
    if (MayEnd(at)) grammar_.AddEmpty(state, to_);
    AddDigits(state, at);
    return state;
  }

  void AddDigits(Grammar::State state, Position at) {
    if (at.digits == max_fraction_) return;
    const char first = at.at_low ? FractionDigit(low_, at.digits) : '0';
    const char last = at.at_high ? FractionDigit(high_, at.digits) : '9';
    AddRange(state, at, first, last);
  }

  // The digits from `first` to `last` behind `at`: those between the two lead to one state.
  void AddRange(Grammar::State from, Position at, char first, char last) {
    for (char digit = first; digit <= last;) {
      const bool on_low = at.at_low && digit == first, on_high = at.at_high && digit == last;
      const char end = on_low || on_high ? digit : at.at_high ? static_cast<char>(last - 1) : last;
      const Position next{at.n, at.digits + 1, on_low, on_high};
      grammar_.AddBytes(from, static_cast<uint8_t>(digit), static_cast<uint8_t>(end),
                        at.n == 0 ? Fraction(next) : Whole(next));
      digit = static_cast<char>(end + 1);
    }
  }

  static char FractionDigit(const DecimalBound& bound, size_t index) {
    const std::string& digits = bound.value.fraction;
    return index < digits.size() ? digits[index] : '0';
  }

  // Whether a number may end here. Its further digits are zeros then; those of a bound that it has
  // followed so far may not be.
  bool MayEnd(Position at) const {
    const bool low_is_longer = low_.value.fraction.size() > at.digits;
    const bool high_is_longer = high_.value.fraction.size() > at.digits;
    if (at.at_low && (low_is_longer || low_.open)) return false;
    return !at.at_high || high_is_longer || !high_.open;
  }

  Grammar& grammar_;
  const DecimalBound low_, high_;
  const bool with_fraction_;
  const size_t max_fraction_;
  const Grammar::State to_;
  std::map<Position, Grammar::State> states_;
};

bool Less(const Decimal& a, const Decimal& b) {
  return std::tuple(a.whole.size(), a.whole, a.fraction) <
         std::tuple(b.whole.size(), b.whole, b.fraction);
}

}  // namespace

// ---- characters -----------------------------------------------------------------

// Splits a range where the number of bytes changes and where a byte changes while those after it do
// not run from first to last.
void JsonText::AddUtf8(CharRange range, Grammar::State from, Grammar::State to) {
  for (const char32_t last : {0x7fu, 0x7ffu, 0xd7ffu, 0xffffu}) {
    if (range.first <= last && range.last > last) {
      AddUtf8({range.first, last}, from, to);
      AddUtf8({last == 0xd7ff ? 0xe000 : last + 1, range.last}, from, to);
      return;
    }
  }
  std::string first, last;
  AppendUtf8(range.first, &first);
  AppendUtf8(range.last, &last);
  for (size_t tail = 1; tail < first.size(); ++tail) {
    const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
    if ((range.first & ~mask) == (range.last & ~mask)) continue;
    if ((range.first & mask) != 0) {
      AddUtf8({range.first, range.first | mask}, from, to);
      AddUtf8({(range.first | mask) + 1, range.last}, from, to);
      return;
    }
    if ((range.last & mask) != mask) {
      AddUtf8({range.first, (range.last & ~mask) - 1}, from, to);
      AddUtf8({range.last & ~mask, range.last}, from, to);
      return;
    }
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const Grammar::State next = i + 1 == first.size() ? to : grammar_.AddState();
    grammar_.AddBytes(from, static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i]), next);
    from = next;
  }
}

void JsonText::AddChars(const CharSet& chars, Form form, Grammar::State from, Grammar::State to) {
  // Single bytes become edges; the rest becomes a rule, which all edges with this set share.
  CharSet direct = chars.Intersection({{0, 0x7f}});
  if (form == Form::kJson) direct = direct.Intersection(Escaped().Complement());
  for (const CharRange& range : direct.ranges())
    grammar_.AddBytes(from, static_cast<uint8_t>(range.first), static_cast<uint8_t>(range.last),
                      to);
  const CharSet rest = chars.Intersection(direct.Complement());
  if (rest.empty()) return;
  const auto [found, added] = char_rules_.try_emplace({form, rest}, 0);
  if (added) {
    const Grammar::Rule rule = grammar_.AddRule();
    found->second = rule;
    for (const CharRange& range : rest.ranges()) {
      for (char32_t c = range.first; c <= std::min<char32_t>(range.last, 0x7f); ++c) {
        std::string literal;  // as a JSON string, without the quotes
        AppendJsonString(std::string(1, static_cast<char>(c)), &literal);
        grammar_.AddLiteral(grammar_.start(rule), literal.substr(1, literal.size() - 2),
                            grammar_.end(rule));
      }
      if (range.last > 0x7f)
        AddUtf8({std::max<char32_t>(range.first, 0x80), range.last}, grammar_.start(rule),
                grammar_.end(rule));
    }
  }
  grammar_.AddCall(from, found->second, to);
}

void JsonText::AddAutomaton(const CharAutomaton& automaton, Form form, Grammar::State from,
                            Grammar::State to) {
  std::vector<Grammar::State> states(automaton.states.size());
  for (Grammar::State& state : states) state = grammar_.AddState();
  for (size_t i = 0; i < states.size() && !grammar_.full(); ++i) {
    for (const CharAutomaton::Edge& edge : automaton.states[i]) {
      if (edge.empty) {
        grammar_.AddEmpty(states[i], states[edge.to]);
      } else {
        AddChars(edge.chars, form, states[i], states[edge.to]);
      }
    }
  }
  grammar_.AddEmpty(from, states[automaton.start]);
  grammar_.AddEmpty(states[automaton.end], to);
}

// ---- strings --------------------------------------------------------------------

void JsonText::AddAnyStringChar(Grammar::State from, Grammar::State to) {
  const CharSet direct = Escaped().Complement().Intersection({{0, 0x7f}});
  for (const CharRange& range : direct.ranges())
    grammar_.AddBytes(from, static_cast<uint8_t>(range.first), static_cast<uint8_t>(range.last),
                      to);
  if (!any_string_char_) {
    const Grammar::Rule rule = grammar_.AddRule();
    any_string_char_ = rule;
    const Grammar::State start = grammar_.start(rule), end = grammar_.end(rule);
    AddUtf8({0x80, 0x10ffff}, start, end);
    const Grammar::State escape = grammar_.AddState();
    grammar_.AddBytes(start, '\\', '\\', escape);
    for (const char c : std::string_view("\"\\/bfnrt"))
      grammar_.AddBytes(escape, static_cast<uint8_t>(c), static_cast<uint8_t>(c), end);
    // \u and four digits; d8 to db as the first two begin a pair, dc to df end one.
    const auto digit = [&](Grammar::State a, Grammar::State b, std::string_view letters) {
      grammar_.AddBytes(a, '0', '9', b);
      grammar_.AddBytes(a, static_cast<uint8_t>(letters[0]), static_cast<uint8_t>(letters[1]), b);
      grammar_.AddBytes(a, static_cast<uint8_t>(letters[0] & ~0x20),
                        static_cast<uint8_t>(letters[1] & ~0x20), b);
    };
    const auto letter = [&](Grammar::State a, Grammar::State b, char first, char last) {
      for (const int upper : {0, 0x20})
        grammar_.AddBytes(a, static_cast<uint8_t>(first & ~upper),
                          static_cast<uint8_t>(last & ~upper), b);
    };
    const Grammar::State unit = grammar_.AddState(), second = grammar_.AddState(),
                         third = grammar_.AddState(), fourth = grammar_.AddState();
    grammar_.AddBytes(escape, 'u', 'u', unit);
    const Grammar::State d = grammar_.AddState();
    grammar_.AddBytes(unit, '0', '9', second);
    letter(unit, second, 'a', 'c');
    letter(unit, second, 'e', 'f');
    letter(unit, d, 'd', 'd');
    grammar_.AddBytes(d, '0', '7', third);
    digit(second, third, "af");
    digit(third, fourth, "af");
    digit(fourth, end, "af");
    const Grammar::State high3 = grammar_.AddState(), high4 = grammar_.AddState(),
                         low = grammar_.AddState(), low1 = grammar_.AddState(),
                         low2 = grammar_.AddState();
    grammar_.AddBytes(d, '8', '9', high3);
    letter(d, high3, 'a', 'b');
    digit(high3, high4, "af");
    digit(high4, low, "af");
    grammar_.AddLiteral(low, "\\u", low1);
    letter(low1, low2, 'd', 'd');
    letter(low2, third, 'c', 'f');
  }
  grammar_.AddCall(from, *any_string_char_, to);
}

void JsonText::AddAnyString(Grammar::State from, Grammar::State to) {
  const Grammar::State inside = grammar_.AddState();
  grammar_.AddBytes(from, '"', '"', inside);
  AddAnyStringChar(inside, inside);
  grammar_.AddBytes(inside, '"', '"', to);
}

void JsonText::AddStringOfLength(size_t min, size_t max, Grammar::State from, Grammar::State to) {
  Grammar::State inside = grammar_.AddState();
  grammar_.AddBytes(from, '"', '"', inside);
  for (size_t length = 0; !grammar_.full(); ++length) {
    if (length >= min) grammar_.AddBytes(inside, '"', '"', to);
    if (length == max) break;
    if (length >= min && max == SIZE_MAX) {
      AddAnyStringChar(inside, inside);
      break;
    }
    const Grammar::State next = grammar_.AddState();
    AddAnyStringChar(inside, next);
    inside = next;
  }
}

void JsonText::AddString(const CharAutomaton& content, Grammar::State from, Grammar::State to) {
  const Grammar::State first = grammar_.AddState(), last = grammar_.AddState();
  grammar_.AddBytes(from, '"', '"', first);
  AddAutomaton(content, Form::kJson, first, last);
  grammar_.AddBytes(last, '"', '"', to);
}

void JsonText::AddOtherString(const std::vector<std::string>& names, Grammar::State from,
                              Grammar::State to) {
  // A trie of the names. A string leaves it with the first character that none of them has there,
  // and is free then; one that ends within it must not be a name.
  struct Node {
    std::map<char32_t, size_t> next;
    bool is_name = false;
  };
  std::vector<Node> trie(1);
  for (const std::string& name : names) {
    size_t node = 0;
    for (size_t at = 0; at < name.size();) {
      const Utf8Step step = NextUtf8(std::string_view(name).substr(at));
      at += step.length;
      const auto [found, added] = trie[node].next.try_emplace(step.character, trie.size());
      node = found->second;
      if (added) trie.emplace_back();  // ends the life of `found`
    }
    trie[node].is_name = true;
  }
  std::vector<Grammar::State> states(trie.size());
  for (Grammar::State& state : states) state = grammar_.AddState();
  const Grammar::State free = grammar_.AddState();
  grammar_.AddBytes(from, '"', '"', states[0]);
  for (size_t i = 0; i < trie.size(); ++i) {
    if (!trie[i].is_name) grammar_.AddBytes(states[i], '"', '"', to);
    CharSet known;
    for (const auto& [c, next] : trie[i].next) {
      known.Add({c, c});
      AddChars({{c, c}}, Form::kJson, states[i], states[next]);
    }
    AddChars(known.Complement(), Form::kJson, states[i], free);
  }
  AddAnyStringChar(free, free);
  grammar_.AddBytes(free, '"', '"', to);
}

// ---- numbers --------------------------------------------------------------------

Status JsonText::AddNumber(bool whole, const std::optional<NumberBound>& min,
                           const std::optional<NumberBound>& max, Grammar::State from,
                           Grammar::State to) {
  const auto [found, added] = number_rules_.try_emplace({whole, min, max}, 0);
  if (added) {
    const Grammar::Rule rule = found->second = grammar_.AddRule();
    if (whole) {
      MakeInteger(min, max, grammar_.start(rule), grammar_.end(rule));
    } else {
      TVLM_RETURN_IF_ERROR(MakeNumber(min, max, grammar_.start(rule), grammar_.end(rule)));
    }
  }
  grammar_.AddCall(from, found->second, to);
  return Status();
}

void JsonText::MakeInteger(const std::optional<NumberBound>& min,
                           const std::optional<NumberBound>& max, Grammar::State from,
                           Grammar::State to) {
  constexpr double kLargest = 9007199254740991;  // 2^53 - 1
  double low = -kLargest, high = kLargest;
  if (min) low = std::max(low, min->open ? std::floor(min->value) + 1 : std::ceil(min->value));
  if (max) high = std::min(high, max->open ? std::ceil(max->value) - 1 : std::floor(max->value));
  const auto add = [&](double least, double most, Grammar::State state) {
    if (least > most) return;
    const auto bound = [](double value) {
      return DecimalBound{{Format("%.0f", value + 0.0), ""}, false};  // of -0.0: 0
    };
    DecimalRange(grammar_, bound(least), bound(most), false, to).Add(state);
  };
  add(std::max(low, 0.0), high, from);
  const Grammar::State minus = grammar_.AddState();
  grammar_.AddBytes(from, '-', '-', minus);
  add(std::max(-high, 1.0), -low, minus);
}

Status JsonText::MakeNumber(const std::optional<NumberBound>& min,
                            const std::optional<NumberBound>& max, Grammar::State from,
                            Grammar::State to) {
  const Decimal zero{"0", ""}, largest{std::string(kMaxDigits, '9'), ""};
  const Grammar::State minus = grammar_.AddState();
  if (!min && !max) {
    const DecimalBound low{zero, false}, high{largest, false};
    const Grammar::State number = grammar_.AddState(), e = grammar_.AddState(),
                         sign = grammar_.AddState(), digit = grammar_.AddState();
    DecimalRange(grammar_, low, high, true, number).Add(from);
    grammar_.AddBytes(from, '-', '-', minus);
    DecimalRange(grammar_, low, high, true, number).Add(minus);
    grammar_.AddEmpty(number, to);
    grammar_.AddBytes(number, 'E', 'E', e);
    grammar_.AddBytes(number, 'e', 'e', e);
    grammar_.AddBytes(e, '+', '+', sign);
    grammar_.AddBytes(e, '-', '-', sign);
    grammar_.AddEmpty(e, sign);
    grammar_.AddBytes(sign, '0', '9', digit);
    grammar_.AddBytes(digit, '0', '9', to);
    grammar_.AddEmpty(digit, to);
    return Status();
  }
  // From `least` to `most`, either of which may be missing, in magnitudes.
  const auto add = [&](const std::optional<NumberBound>& least,
                       const std::optional<NumberBound>& most, bool zero_too,
                       Grammar::State state) -> Status {
    DecimalBound low{zero, !zero_too}, high{largest, false};
    for (const auto& [given, bound] : {std::pair{&least, &low}, std::pair{&most, &high}}) {
      if (!given->has_value() || (bound == &low && (*given)->value < 0)) continue;
      const std::optional<Decimal> decimal = ToDecimal((*given)->value);
      if (!decimal) {
        return Error(ErrorCode::kInvalidArgument,
                     "responseFormat: bounds of at most 16 digits before and behind the point "
                     "wanted, %g found",
                     (*given)->value);
      }
      // -0 is not written, whatever the bound.
      const bool open = (*given)->open || (bound == &low && !zero_too && (*given)->value == 0);
      *bound = {*decimal, open};
    }
    if (Less(low.value, high.value) || (!Less(high.value, low.value) && !low.open && !high.open))
      DecimalRange(grammar_, low, high, true, to).Add(state);
    return Status();
  };
  if (!max || max->value >= 0) {
    TVLM_RETURN_IF_ERROR(add(min, max, true, from));
  }
  if (!min || min->value < 0) {
    const auto negated = [](const std::optional<NumberBound>& bound) {
      return bound ? std::optional(NumberBound{-bound->value, bound->open}) : std::nullopt;
    };
    grammar_.AddBytes(from, '-', '-', minus);
    TVLM_RETURN_IF_ERROR(add(negated(max), negated(min), false, minus));
  }
  return Status();
}

}  // namespace tinyvlm
