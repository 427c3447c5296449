// Whole texts against a grammar, and texts that it makes.
#ifndef TINYVLM_TESTS_CONSTRAIN_MAKE_TEXT_H_
#define TINYVLM_TESTS_CONSTRAIN_MAKE_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/matcher.h"

namespace tinyvlm {

inline bool Allows(Matcher& matcher, std::string_view text) {
  matcher.BeginStep();
  Matcher::Set set = matcher.start();
  for (const char c : text) set = matcher.Next(set, static_cast<uint8_t>(c));
  return matcher.accepts(set);
}

// A random text that `matcher` allows; it ends soon after `length` bytes where it can. None where a
// beginning could not be completed, or not within 20,000 bytes.
inline std::optional<std::string> MakeText(Matcher& matcher, std::mt19937& random, size_t length) {
  std::string text;
  Matcher::Set set = matcher.start();
  while (text.size() < 20000) {
    matcher.BeginStep();
    const bool late = text.size() >= length;
    if (matcher.accepts(set) && (late || !matcher.continues(set) || random() % 8 == 0)) return text;
    std::vector<uint8_t> bytes;
    const bool in_string = matcher.Next(set, '#') != Matcher::kNone;
    int closing = -1;
    for (int byte = 0; byte < 256; ++byte) {
      if (matcher.Next(set, static_cast<uint8_t>(byte)) == Matcher::kNone) continue;
      bytes.push_back(static_cast<uint8_t>(byte));
      if (in_string ? byte == '"' : byte == ']' || byte == '}') closing = byte;
    }
    if (bytes.empty()) return std::nullopt;
    const uint8_t byte =
        late && closing >= 0 ? static_cast<uint8_t>(closing) : bytes[random() % bytes.size()];
    text += static_cast<char>(byte);
    set = matcher.Next(set, byte);
  }
  return std::nullopt;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONSTRAIN_MAKE_TEXT_H_
