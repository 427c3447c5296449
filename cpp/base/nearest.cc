#include "base/nearest.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace tinyvlm {

namespace {

// Letters and digits alone, in lower case: top_p, topP and --top-p are one word.
std::string Plain(std::string_view word) {
  std::string plain;
  for (const char c : word) {
    if (c != '_' && c != '-') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

// Levenshtein distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view Nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view nearest;
  size_t smallest = 4;  // farther than this is another word, not a slip
  const std::string plain = Plain(word);
  for (const std::string_view candidate : known) {
    const size_t distance = EditDistance(plain, Plain(candidate));
    if (distance < smallest) nearest = candidate, smallest = distance;
  }
  return nearest;
}

}  // namespace tinyvlm
