// UTF-8 as the Unicode standard defines it (table 3-7: no surrogates, no overlong forms, nothing
// above U+10FFFF).
#ifndef TINYVLM_TEXT_UTF8_H_
#define TINYVLM_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tinyvlm {

// Replaces bad UTF-8.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// The first character of a byte sequence.
struct Utf8Step {
  enum Kind { kCharacter, kInvalid, kIncomplete };
  Kind kind;
  // kCharacter: its bytes; kInvalid: the bytes that one U+FFFD replaces (the maximal subpart);
  // kIncomplete: all of the input
  size_t length;
  char32_t character;  // kCharacter only
};

// Decodes the first character of `bytes`, which must not be empty. kIncomplete: all bytes belong to
// a character that further bytes could complete.
Utf8Step NextUtf8(std::string_view bytes);

// True if all of `bytes` is valid UTF-8.
bool IsValidUtf8(std::string_view bytes);

// Length of the longest prefix that does not end inside a character. The rest (at most 3 bytes) may
// be completed by further bytes.
size_t WholeCharactersLength(std::string_view bytes);

// Appends `bytes` to `out`, with one U+FFFD for each maximal bad subpart, as the reference
// tokenizer and every browser decode.
void AppendValidUtf8(std::string_view bytes, std::string* out);

// `text` in double quotes for an error message, as valid UTF-8; cut with "..." beyond `max_bytes`.
std::string Quoted(std::string_view text, size_t max_bytes = 60);

// Unicode's property White_Space, by which tokenizers split texts.
bool IsUnicodeWhitespace(char32_t character);

// White space as in Python's str.strip(), by which answers are trimmed: Unicode White_Space and
// U+001C to U+001F.
bool IsWhitespace(char32_t character);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_UTF8_H_
