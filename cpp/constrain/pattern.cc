#include "constrain/pattern.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "text/utf8.h"

namespace tinyvlm {

namespace {

constexpr size_t kMaxDepth = 64;      // of groups
constexpr size_t kMaxRepeat = 16384;  // of {n,m}
constexpr size_t kEdgeWork = 256;     // of making an edge

Status TooLarge() {
  return Error(ErrorCode::kInvalidArgument,
               "responseFormat: patterns and lengths of at most %zu states wanted, more found; "
               "lower the counts",
               CharAutomaton::kMaxStates);
}

CharSet Digits() { return {{'0', '9'}}; }

CharSet WordCharacters() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }

// ECMA-262's WhiteSpace and LineTerminator.
CharSet Spaces() {
  return {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
          {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
}

CharSet NotLineEnds() { return CharSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.Complement(); }

// An automaton in which an edge may also stand for ^ or $.
struct Anchored {
  enum Kind : uint8_t { kEmpty, kChars, kStart, kEnd };
  struct Edge {
    Kind kind;
    CharSet chars;
    uint32_t to;
  };
  std::vector<std::vector<Edge>> states;
  bool anchors = false;

  uint32_t AddState() {
    states.emplace_back();
    return static_cast<uint32_t>(states.size() - 1);
  }
};

// Each part of the pattern becomes edges between two states that are there already; a part that is
// repeated is read again for each copy.
class PatternParser {
 public:
  PatternParser(std::string_view pattern, PatternWork* work) : text_(pattern), work_(work) {}

  Status Parse(Anchored* automaton, uint32_t from, uint32_t to) {
    automaton_ = automaton;
    TVLM_RETURN_IF_ERROR(Alternatives(from, to, 0));
    if (at_ < text_.size()) return Wrong("the pattern's end", ")");
    return Status();
  }

 private:
  struct Repeat {
    size_t min = 1, max = 1;  // SIZE_MAX: without end
  };

  bool Skip(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }

  Status Wrong(const char* wanted, std::string_view found) const {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: pattern %s, byte %zu: %s wanted, %s found", Quoted(text_).c_str(),
                 at_, wanted, found.empty() ? "the end" : Quoted(found).c_str());
  }

  Status Unsupported(const char* what) const {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: pattern %s, byte %zu: %s not supported", Quoted(text_).c_str(),
                 at_, what);
  }

  Status Edge(uint32_t from, Anchored::Kind kind, CharSet chars, uint32_t to) {
    if (automaton_->states.size() > CharAutomaton::kMaxStates ||
        !work_->Spend(kEdgeWork + chars.ranges().size()))
      return TooLarge();
    automaton_->states[from].push_back({kind, std::move(chars), to});
    return Status();
  }

  Status Empty(uint32_t from, uint32_t to) { return Edge(from, Anchored::kEmpty, {}, to); }

  Status Alternatives(uint32_t from, uint32_t to, size_t depth) {
    do {
      TVLM_RETURN_IF_ERROR(Sequence(from, to, depth));
    } while (Skip("|"));
    return Status();
  }

  Status Sequence(uint32_t from, uint32_t to, size_t depth) {
    while (!AtEnd() && Peek() != '|' && Peek() != ')') {
      const uint32_t next = automaton_->AddState();
      TVLM_RETURN_IF_ERROR(Term(from, next, depth));
      from = next;
    }
    return Empty(from, to);
  }

  // An anchor, or an atom with its quantifier.
  Status Term(uint32_t from, uint32_t to, size_t depth) {
    if (Peek() == '^' || Peek() == '$') {
      automaton_->anchors = true;
      const Anchored::Kind kind = text_[at_++] == '^' ? Anchored::kStart : Anchored::kEnd;
      return Edge(from, kind, {}, to);
    }
    const size_t begin = at_;
    TVLM_RETURN_IF_ERROR(SkipAtom(depth));
    TVLM_ASSIGN_OR_RETURN(const Repeat repeat, Quantifier());
    const size_t end = at_;
    const auto copy = [&](uint32_t a, uint32_t b) -> Status {
      if (!work_->Spend(end - begin)) return TooLarge();
      at_ = begin;
      TVLM_RETURN_IF_ERROR(Atom(a, b, depth));
      at_ = end;
      return Status();
    };
    for (size_t i = 0; i < repeat.min; ++i) {
      const uint32_t next = automaton_->AddState();
      TVLM_RETURN_IF_ERROR(copy(from, next));
      from = next;
    }
    if (repeat.max == SIZE_MAX) {
      const uint32_t loop = automaton_->AddState();
      TVLM_RETURN_IF_ERROR(Empty(from, loop));
      TVLM_RETURN_IF_ERROR(copy(loop, loop));
      return Empty(loop, to);
    }
    for (size_t i = repeat.min; i < repeat.max; ++i) {
      TVLM_RETURN_IF_ERROR(Empty(from, to));
      const uint32_t next = automaton_->AddState();
      TVLM_RETURN_IF_ERROR(copy(from, next));
      from = next;
    }
    return Empty(from, to);
  }

  // Goes behind an atom whose quantifier is wanted first. What is wrong with a group is found when
  // it is read.
  Status SkipAtom(size_t depth) {
    if (Peek() != '(') {
      const uint32_t scratch = automaton_->AddState();
      TVLM_RETURN_IF_ERROR(Atom(scratch, scratch, depth));
      automaton_->states.pop_back();
      return Status();
    }
    size_t open = 0;
    bool in_class = false;
    while (!AtEnd()) {
      const char c = text_[at_++];
      if (c == '\\' && !AtEnd()) {
        ++at_;
      } else if (in_class) {
        in_class = c != ']';
      } else if (c == '[') {
        in_class = true;
      } else if (c == '(') {
        ++open;
      } else if (c == ')' && --open == 0) {
        break;
      }
    }
    return Status();
  }

  Result<Repeat> Quantifier() {
    Repeat repeat;
    if (Skip("*")) {
      repeat = {0, SIZE_MAX};
    } else if (Skip("+")) {
      repeat = {1, SIZE_MAX};
    } else if (Skip("?")) {
      repeat = {0, 1};
    } else if (Skip("{")) {
      TVLM_ASSIGN_OR_RETURN(repeat.min, Count());
      repeat.max = repeat.min;
      if (Skip(",")) {
        repeat.max = SIZE_MAX;
        if (Peek() != '}') {
          TVLM_ASSIGN_OR_RETURN(repeat.max, Count());
        }
      }
      if (!Skip("}")) return Wrong("}", text_.substr(at_, 1));
      if (repeat.max < repeat.min) return Wrong("a count from low to high", "the reverse");
    } else {
      return repeat;
    }
    Skip("?");  // lazy: the same texts
    if (Peek() == '*' || Peek() == '+' || Peek() == '?' || Peek() == '{')
      return Wrong("one quantifier", text_.substr(at_, 1));
    return repeat;
  }

  Result<size_t> Count() {
    size_t count = 0;
    const size_t begin = at_;
    for (; Peek() >= '0' && Peek() <= '9'; ++at_) {
      count = count * 10 + static_cast<size_t>(Peek() - '0');
      if (count > kMaxRepeat) return TooLarge();
    }
    if (at_ == begin) return Wrong("a count", text_.substr(at_, 1));
    return count;
  }

  Status Atom(uint32_t from, uint32_t to, size_t depth) {
    if (Skip("(")) {
      if (depth == kMaxDepth) return Unsupported("groups nested deeper than 64 are");
      if (Skip("?")) {
        if (Skip("<") && Peek() != '=' && Peek() != '!') {
          const size_t close = text_.find('>', at_);
          if (close == std::string_view::npos || close == at_) return Wrong("a group's name", "");
          at_ = close + 1;
        } else if (!Skip(":")) {
          return Unsupported("looking ahead or behind and modifiers are");
        }
      }
      TVLM_RETURN_IF_ERROR(Alternatives(from, to, depth + 1));
      if (!Skip(")")) return Wrong(")", "");
      return Status();
    }
    CharSet chars;
    if (Skip(".")) {
      chars = NotLineEnds();
    } else if (Skip("[")) {
      TVLM_ASSIGN_OR_RETURN(chars, Class());
    } else if (Peek() == '\\') {
      TVLM_ASSIGN_OR_RETURN(const Escaped escaped, Escape(false));
      chars = escaped.Chars();
    } else if (std::string_view("*+?{}]").find(Peek()) != std::string_view::npos) {
      return Wrong("a character, class or group", text_.substr(at_, 1));
    } else {
      const char32_t c = Next();
      chars = {{c, c}};
    }
    return Edge(from, Anchored::kChars, std::move(chars), to);
  }

  // The next character of the pattern, which is valid UTF-8.
  char32_t Next() {
    const Utf8Step step = NextUtf8(text_.substr(at_));
    at_ += step.length;
    return step.character;
  }

  // What an escape stands for: one character, or a class.
  struct Escaped {
    std::optional<char32_t> character;
    CharSet set;
    CharSet Chars() const { return character ? CharSet{{*character, *character}} : set; }
  };

  Result<CharSet> Class() {
    const bool negated = Skip("^");
    CharSet set;
    while (!Skip("]")) {
      if (AtEnd()) return Wrong("]", "");
      if (!work_->Spend(set.ranges().size() + 1)) return TooLarge();
      TVLM_ASSIGN_OR_RETURN(const Escaped low, ClassMember());
      if (Peek() != '-' || text_.substr(at_).starts_with("-]")) {
        set.Add(low.Chars());
        continue;
      }
      ++at_;
      if (AtEnd()) return Wrong("]", "");
      TVLM_ASSIGN_OR_RETURN(const Escaped high, ClassMember());
      if (!low.character || !high.character || *low.character > *high.character)
        return Wrong("a range from one character to a later one", "another");
      set.Add({*low.character, *high.character});
    }
    return negated ? set.Complement() : set;
  }

  Result<Escaped> ClassMember() {
    if (Peek() == '\\') return Escape(true);
    return Escaped{Next(), {}};
  }

  Result<Escaped> Escape(bool in_class) {
    ++at_;  // the backslash
    if (AtEnd()) return Wrong("an escaped character", "");
    const char c = text_[at_];
    const auto is = [](char32_t character) { return Escaped{character, {}}; };
    switch (c) {
      case 'd':
        return ++at_, Escaped{std::nullopt, Digits()};
      case 'D':
        return ++at_, Escaped{std::nullopt, Digits().Complement()};
      case 'w':
        return ++at_, Escaped{std::nullopt, WordCharacters()};
      case 'W':
        return ++at_, Escaped{std::nullopt, WordCharacters().Complement()};
      case 's':
        return ++at_, Escaped{std::nullopt, Spaces()};
      case 'S':
        return ++at_, Escaped{std::nullopt, Spaces().Complement()};
      case 't':
        return ++at_, is('\t');
      case 'n':
        return ++at_, is('\n');
      case 'v':
        return ++at_, is('\v');
      case 'f':
        return ++at_, is('\f');
      case 'r':
        return ++at_, is('\r');
      case 'b':
        if (in_class) return ++at_, is('\b');
        return Unsupported("\\b is");
      case '0':
        ++at_;
        if (Peek() >= '0' && Peek() <= '9') return Unsupported("octal escapes are");
        return is(0);
      case 'c':
        ++at_;
        if ((Peek() | 0x20) < 'a' || (Peek() | 0x20) > 'z')
          return Wrong("a letter", text_.substr(at_, 1));
        return is(static_cast<char32_t>(text_[at_++] & 31));
      case 'x':
        ++at_;
        return Hex(2);
      case 'u':
        ++at_;
        return UnicodeEscape();
      default:
        break;
    }
    if (std::string_view("^$\\.*+?()[]{}|/").find(c) != std::string_view::npos ||
        (in_class && c == '-'))
      return ++at_, is(static_cast<char32_t>(c));
    if (c >= '1' && c <= '9') return Unsupported("references to groups are");
    if (c == 'k') return Unsupported("references to groups are");
    if (c == 'B') return Unsupported("\\B is");
    if (c == 'p' || c == 'P') return Unsupported("Unicode properties are");
    // ECMA-262 refuses these where Unicode counts; many patterns escape punctuation needlessly.
    if (c >= '!' && c <= '~' && !WordCharacters().Contains(static_cast<char32_t>(c)))
      return ++at_, is(static_cast<char32_t>(c));
    return Wrong("an escape that exists", text_.substr(at_, 1));
  }

  Result<Escaped> Hex(size_t digits) {
    char32_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const char c = Peek();
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<char32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + static_cast<char32_t>(lower - 'a' + 10);
      } else {
        return Wrong("a hexadecimal digit", text_.substr(at_, 1));
      }
    }
    return Escaped{value, {}};
  }

  // Behind \u: four digits, two such escapes for the halves of a surrogate pair, or {digits}.
  Result<Escaped> UnicodeEscape() {
    if (Skip("{")) {
      const size_t close = text_.find('}', at_);
      if (close == std::string_view::npos || close == at_ || close - at_ > 6)
        return Wrong("1 to 6 hexadecimal digits and }", "others");
      TVLM_ASSIGN_OR_RETURN(const Escaped escaped, Hex(close - at_));
      ++at_;
      if (*escaped.character > 0x10ffff) return Wrong("at most 10ffff", "more");
      return escaped;
    }
    TVLM_ASSIGN_OR_RETURN(const Escaped high, Hex(4));
    if (*high.character < 0xd800 || *high.character > 0xdbff) return high;
    const size_t after = at_;
    if (Skip("\\u")) {
      TVLM_ASSIGN_OR_RETURN(const Escaped low, Hex(4));
      if (*low.character >= 0xdc00 && *low.character <= 0xdfff)
        return Escaped{0x10000 + ((*high.character - 0xd800) << 10) + (*low.character - 0xdc00),
                       {}};
      at_ = after;
    }
    return high;  // half a pair, which no text has
  }

  const std::string_view text_;
  size_t at_ = 0;
  PatternWork* const work_;
  Anchored* automaton_ = nullptr;
};

// Resolves ^ and $: a state is one of the pattern's together with what is known of the position.
CharAutomaton Resolve(const Anchored& anchored, uint32_t start, uint32_t end) {
  // Whether no character was taken yet, and whether none may follow.
  enum Position : uint32_t { kAtStart, kInside, kAtEnd, kAtBoth };
  constexpr uint32_t kPositions = 4;
  const uint32_t positions = anchored.anchors ? kPositions : 1;
  CharAutomaton result;
  result.states.resize(anchored.states.size() * positions);
  const auto id = [&](uint32_t state, uint32_t position) {
    return anchored.anchors ? state * positions + position : state;
  };
  for (uint32_t from = 0; from < anchored.states.size(); ++from) {
    for (uint32_t position = 0; position < positions; ++position) {
      std::vector<CharAutomaton::Edge>& edges = result.states[id(from, position)];
      for (const Anchored::Edge& edge : anchored.states[from]) {
        switch (edge.kind) {
          case Anchored::kEmpty:
            edges.push_back({true, {}, id(edge.to, position)});
            break;
          case Anchored::kChars:
            if (position == kAtStart || position == kInside)
              edges.push_back({false, edge.chars, id(edge.to, kInside)});
            break;
          case Anchored::kStart:
            if (position == kAtStart || position == kAtBoth)
              edges.push_back({true, {}, id(edge.to, position)});
            break;
          case Anchored::kEnd:
            edges.push_back(
                {true,
                 {},
                 id(edge.to, position == kAtStart || position == kAtBoth ? kAtBoth : kAtEnd)});
            break;
        }
      }
    }
  }
  result.start = id(start, kAtStart);
  result.end = result.AddState();
  for (uint32_t position = 0; position < positions; ++position)
    result.states[id(end, position)].push_back({true, {}, result.end});
  return result;
}

}  // namespace

Result<CharAutomaton> ParsePattern(std::string_view pattern, PatternMatch match,
                                   PatternWork* work) {
  if (!IsValidUtf8(pattern))
    return Error(ErrorCode::kInvalidArgument, "responseFormat: a pattern in valid UTF-8 wanted");
  Anchored anchored;
  const uint32_t start = anchored.AddState(), end = anchored.AddState();
  if (match == PatternMatch::kAnywhere) {
    anchored.states[start].push_back({Anchored::kChars, CharSet::All(), start});
    anchored.states[end].push_back({Anchored::kChars, CharSet::All(), end});
  }
  TVLM_RETURN_IF_ERROR(PatternParser(pattern, work).Parse(&anchored, start, end));
  return Resolve(anchored, start, end);
}

Result<CharAutomaton> Intersect(const CharAutomaton& a, const CharAutomaton& b, PatternWork* work) {
  CharAutomaton result;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> ids;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  const auto id = [&](uint32_t of_a, uint32_t of_b) {
    const auto [found, added] = ids.try_emplace({of_a, of_b}, uint32_t(pairs.size()));
    if (added) {
      pairs.emplace_back(of_a, of_b);
      result.AddState();
    }
    return found->second;
  };
  result.start = id(a.start, b.start);
  for (uint32_t i = 0; i < pairs.size(); ++i) {
    const auto [of_a, of_b] = pairs[i];
    std::vector<CharAutomaton::Edge> from;
    for (const CharAutomaton::Edge& x : a.states[of_a]) {
      if (x.empty) from.push_back({true, {}, id(x.to, of_b)});
    }
    for (const CharAutomaton::Edge& y : b.states[of_b]) {
      if (y.empty) from.push_back({true, {}, id(of_a, y.to)});
    }
    for (const CharAutomaton::Edge& x : a.states[of_a]) {
      if (x.empty) continue;
      for (const CharAutomaton::Edge& y : b.states[of_b]) {
        if (y.empty) continue;
        if (!work->Spend(kEdgeWork + x.chars.ranges().size() * y.chars.ranges().size()))
          return TooLarge();
        CharSet both = x.chars.Intersection(y.chars);
        if (!both.empty()) from.push_back({false, std::move(both), id(x.to, y.to)});
      }
    }
    result.states[i] = std::move(from);
    if (pairs.size() > CharAutomaton::kMaxStates) return TooLarge();
  }
  result.end = id(a.end, b.end);  // one that leads nowhere, where it was not reached
  return result;
}

Result<CharAutomaton> CharCount(size_t min, size_t max) {
  CharAutomaton result;
  const size_t last = max == SIZE_MAX ? min : max;
  if (last >= CharAutomaton::kMaxStates) return TooLarge();
  result.states.resize(last + 2);
  result.end = static_cast<uint32_t>(last + 1);
  for (uint32_t i = 0; i <= last; ++i) {
    if (i < last) result.states[i].push_back({false, CharSet::All(), i + 1});
    if (i >= min) result.states[i].push_back({true, {}, result.end});
  }
  if (max == SIZE_MAX)
    result.states[last].push_back({false, CharSet::All(), static_cast<uint32_t>(last)});
  return result;
}

bool Accepts(const CharAutomaton& automaton, std::string_view text) {
  std::vector<uint32_t> now{automaton.start}, next;
  std::vector<bool> seen(automaton.states.size());
  const auto close = [&](std::vector<uint32_t>& states) {
    std::fill(seen.begin(), seen.end(), false);
    std::vector<uint32_t> reached;
    const auto add = [&](uint32_t state) {
      if (!seen[state]) reached.push_back(state);
      seen[state] = true;
    };
    for (const uint32_t state : states) add(state);
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const CharAutomaton::Edge& edge : automaton.states[reached[i]]) {
        if (edge.empty) add(edge.to);
      }
    }
    states = std::move(reached);
  };
  close(now);
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = NextUtf8(text.substr(at));
    at += step.length;
    next.clear();
    for (const uint32_t state : now) {
      for (const CharAutomaton::Edge& edge : automaton.states[state]) {
        if (!edge.empty && edge.chars.Contains(step.character)) next.push_back(edge.to);
      }
    }
    close(next);
    std::swap(now, next);
  }
  return seen[automaton.end];
}

}  // namespace tinyvlm
