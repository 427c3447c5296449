// A character as UTF-8 bytes. Reading UTF-8 is text/utf8.h's.
#ifndef TINYVLM_BASE_UTF8_ENCODE_H_
#define TINYVLM_BASE_UTF8_ENCODE_H_

#include <string>

namespace tinyvlm {

// Appends `c`, which must be a character: at most U+10FFFF and no surrogate.
inline void AppendUtf8(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
    return;
  }
  if (c < 0x800) {
    out->push_back(static_cast<char>(0xc0 | c >> 6));
  } else {
    if (c < 0x10000) {
      out->push_back(static_cast<char>(0xe0 | c >> 12));
    } else {
      out->push_back(static_cast<char>(0xf0 | c >> 18));
      out->push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    }
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
  }
  out->push_back(static_cast<char>(0x80 | (c & 0x3f)));
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_UTF8_ENCODE_H_
