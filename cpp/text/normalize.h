// Unicode normalisation form C, and the classes of characters that tokenizers split texts by.
#ifndef TINYVLM_TEXT_NORMALIZE_H_
#define TINYVLM_TEXT_NORMALIZE_H_

#include <string>
#include <string_view>

namespace tinyvlm {

// `text` in normalisation form C (Unicode Standard Annex 15). Bad UTF-8 is read as U+FFFD, one for
// each maximal bad subpart. Takes the time of sorting each run of combining marks.
std::string NormalizeNfc(std::string_view text);

// General category L*.
bool IsLetter(char32_t character);

// General category N*.
bool IsNumber(char32_t character);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_NORMALIZE_H_
