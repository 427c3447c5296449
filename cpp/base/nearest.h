// The known word that a misspelt one was meant to be, for error messages.
#ifndef TINYVLM_BASE_NEAREST_H_
#define TINYVLM_BASE_NEAREST_H_

#include <span>
#include <string_view>

namespace tinyvlm {

// The word of `known` that takes the fewest insertions, deletions and replacements of letters to
// reach from `word`, case and the marks _ and - aside; empty where none takes fewer than 4.
std::string_view Nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_NEAREST_H_
