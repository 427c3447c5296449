#include "text/pre_split.h"

#include "text/normalize.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

enum class Kind { kEnd, kLetter, kNumber, kWhitespace, kOther };

// A character of the text, or the end of it.
struct Character {
  char32_t value;
  size_t bytes;
  Kind kind;

  bool IsLineEnd() const { return value == '\r' || value == '\n'; }
};

Character At(std::string_view text, size_t i) {
  if (i == text.size()) return {0, 0, Kind::kEnd};
  const Utf8Step step = NextUtf8(text.substr(i));
  const char32_t c = step.character;
  Kind kind = Kind::kOther;
  if (IsLetter(c)) {
    kind = Kind::kLetter;
  } else if (IsNumber(c)) {
    kind = Kind::kNumber;
  } else if (IsUnicodeWhitespace(c)) {
    kind = Kind::kWhitespace;
  }
  return {c, step.length, kind};
}

// Length of 's 't 're 've 'm 'll 'd, in any case, at the start of the text; 0 if there is none.
// U+017F, the long s, equals s when case is ignored.
size_t ContractionBytes(std::string_view text) {
  if (text[0] != '\'') return 0;
  if (text.substr(1).starts_with("\xC5\xBF")) return 3;
  const auto letter = [text](size_t i) {
    return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0';
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? 3 : 0;
    case 'l':
      return letter(2) == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

// The end of the run of characters of one kind that begins at `at`.
size_t RunEnd(std::string_view text, size_t at, Kind kind) {
  for (Character c = At(text, at); c.kind == kind; c = At(text, at)) at += c.bytes;
  return at;
}

}  // namespace

size_t FirstPieceBytes(std::string_view text) {
  if (const size_t bytes = ContractionBytes(text)) return bytes;
  const Character first = At(text, 0);
  if (first.kind == Kind::kLetter) return RunEnd(text, 0, Kind::kLetter);
  if (first.kind == Kind::kNumber) return first.bytes;

  const Kind second = At(text, first.bytes).kind;
  if (second == Kind::kLetter && !first.IsLineEnd())
    return RunEnd(text, first.bytes, Kind::kLetter);
  if (first.kind == Kind::kOther || (first.value == ' ' && second == Kind::kOther)) {
    size_t end = RunEnd(text, first.bytes, Kind::kOther);
    while (end < text.size() && (text[end] == '\r' || text[end] == '\n')) ++end;
    return end;
  }

  // White space: up to its last line break; else all of it at the end of the text; else all but its
  // last character, which belongs to the next piece.
  size_t end = 0, line_end = 0, last = 0;
  for (Character c = first; c.kind == Kind::kWhitespace; c = At(text, end)) {
    last = end;
    end += c.bytes;
    if (c.IsLineEnd()) line_end = end;
  }
  if (line_end > 0) return line_end;
  return end == text.size() || last == 0 ? end : last;
}

}  // namespace tinyvlm
