// Classes of characters that texts often allow as a whole, so that tokens of such characters can be
// judged together.
#ifndef TINYVLM_CONSTRAIN_CHAR_CLASS_H_
#define TINYVLM_CONSTRAIN_CHAR_CLASS_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// Each holds those before it.
enum CharClass : uint8_t {
  kLowercase,  // a to z
  kWord,       // the letters and digits of ASCII, and _
  kWords,      // these and the space
  // What a JSON string may have as it is and `.` of a pattern matches: all but U+0000 to U+001F, ",
  // the backslash, and the line ends U+2028 and U+2029.
  kStringText,
};
inline constexpr size_t kCharClasses = 4;

// Whether a character of ASCII is in a class.
constexpr bool InClass(CharClass chars, uint8_t ascii) {
  if (ascii >= 'a' && ascii <= 'z') return true;
  if (chars == kLowercase) return false;
  if ((ascii >= 'A' && ascii <= 'Z') || (ascii >= '0' && ascii <= '9') || ascii == '_') return true;
  if (chars == kWord) return false;
  if (ascii == ' ') return true;
  return chars == kStringText && ascii > ' ' && ascii != '"' && ascii != '\\';
}

// The characters of kStringText beyond ASCII in UTF-8, which no smaller class has: ranges of the
// first byte, the second and the third, and of those after it.
struct Utf8Rows {
  uint8_t first, last_first, second, last_second, third, last_third, fourth, last_fourth;
};
inline constexpr Utf8Rows kStringTextRows[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 0, 0, 0, 0},
    {0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf, 0, 0},
    {0xe1, 0xe1, 0x80, 0xbf, 0x80, 0xbf, 0, 0},
    {0xe2, 0xe2, 0x80, 0x80, 0x80, 0xa7, 0, 0},
    {0xe2, 0xe2, 0x80, 0x80, 0xaa, 0xbf, 0, 0},
    {0xe2, 0xe2, 0x81, 0xbf, 0x80, 0xbf, 0, 0},
    {0xe3, 0xec, 0x80, 0xbf, 0x80, 0xbf, 0, 0},
    {0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf, 0, 0},
    {0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf, 0, 0},
    {0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
    {0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
    {0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf},
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_CHAR_CLASS_H_
