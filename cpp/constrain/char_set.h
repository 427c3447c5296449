// Sets of Unicode characters.
#ifndef TINYVLM_CONSTRAIN_CHAR_SET_H_
#define TINYVLM_CONSTRAIN_CHAR_SET_H_

#include <compare>
#include <initializer_list>
#include <vector>

namespace tinyvlm {

// Both ends included.
struct CharRange {
  char32_t first = 0;
  char32_t last = 0;
  friend auto operator<=>(const CharRange&, const CharRange&) = default;
};

// Characters are what UTF-8 can encode: U+0000 to U+10FFFF without the surrogates, which no set
// holds. Ranges are sorted, and two of them never touch, so equal sets have equal ranges.
class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges);  // NOLINT: implicit by design

  static CharSet All();

  void Add(CharRange range);
  void Add(const CharSet& other);
  CharSet Complement() const;
  CharSet Intersection(const CharSet& other) const;

  bool empty() const { return ranges_.empty(); }
  bool Contains(char32_t c) const;
  const std::vector<CharRange>& ranges() const { return ranges_; }
  friend auto operator<=>(const CharSet&, const CharSet&) = default;

 private:
  std::vector<CharRange> ranges_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_CHAR_SET_H_
