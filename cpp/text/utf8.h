// UTF-8 as the Unicode standard defines it (table 3-7: no surrogates, no overlong forms, nothing
// above U+10FFFF).
#ifndef TINYVLM_TEXT_UTF8_H_
#define TINYVLM_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tinyvlm {

// What bad UTF-8 is read as.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// What stands at the beginning of a byte sequence.
struct Utf8Step {
  enum Kind { kCharacter, kInvalid, kIncomplete };
  Kind kind;
  // kCharacter: its bytes; kInvalid: the bytes that one U+FFFD replaces (the maximal subpart);
  // kIncomplete: all of the input
  size_t length;
  char32_t character;  // kCharacter only
};

// Looks at the first character of `bytes`, which must not be empty. kIncomplete: a character has
// begun and more bytes could complete it.
Utf8Step NextUtf8(std::string_view bytes);

bool IsValidUtf8(std::string_view bytes);

// Length of the longest prefix that does not end inside a character; what follows (at most 3 bytes)
// may be completed by bytes still to come.
size_t WholeCharactersLength(std::string_view bytes);

// Appends `bytes` to `out`, each maximal bad subpart as one U+FFFD, as the reference tokenizer (and
// every browser) decodes.
void AppendValidUtf8(std::string_view bytes, std::string* out);

// `text` in double quotes for a message: valid UTF-8, cut with "..." where it has more than
// `max_bytes`.
std::string Quoted(std::string_view text, size_t max_bytes = 60);

// Unicode's property White_Space, which is what tokenizers split texts by.
bool IsUnicodeWhitespace(char32_t character);

// White space as Python's str.strip() sees it, with which answers are trimmed: Unicode White_Space
// and U+001C to U+001F.
bool IsWhitespace(char32_t character);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_UTF8_H_
