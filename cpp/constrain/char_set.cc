#include "constrain/char_set.h"

#include <algorithm>

namespace tinyvlm {

namespace {

constexpr char32_t kFirstSurrogate = 0xd800, kLastSurrogate = 0xdfff, kLastCharacter = 0x10ffff;

// The parts of a set that has no surrogates stand on both sides of them.
bool Touch(char32_t last, char32_t first) {
  return last + 1 >= first || (last == kFirstSurrogate - 1 && first == kLastSurrogate + 1);
}

}  // namespace

CharSet::CharSet(std::initializer_list<CharRange> ranges) {
  for (const CharRange& range : ranges) Add(range);
}

CharSet CharSet::All() { return {{0, kLastCharacter}}; }

void CharSet::Add(CharRange range) {
  // A range never ends within the surrogates; one that spans them stands for both of its sides.
  if (range.first >= kFirstSurrogate && range.first <= kLastSurrogate)
    range.first = kLastSurrogate + 1;
  if (range.last >= kFirstSurrogate && range.last <= kLastSurrogate)
    range.last = kFirstSurrogate - 1;
  range.last = std::min(range.last, kLastCharacter);
  if (range.first > range.last) return;
  const auto after = std::find_if(ranges_.begin(), ranges_.end(), [&](const CharRange& r) {
    return r.first > range.last && !Touch(range.last, r.first);
  });
  auto begin = std::find_if(ranges_.begin(), after, [&](const CharRange& r) {
    return r.last >= range.first || Touch(r.last, range.first);
  });
  if (begin != after) {
    range.first = std::min(range.first, begin->first);
    range.last = std::max(range.last, (after - 1)->last);
  }
  begin = ranges_.erase(begin, after);
  ranges_.insert(begin, range);
}

void CharSet::Add(const CharSet& other) {
  for (const CharRange& range : other.ranges_) Add(range);
}

CharSet CharSet::Complement() const {
  CharSet result;
  char32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > next) result.Add({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCharacter) result.Add({next, kLastCharacter});
  return result;
}

CharSet CharSet::Intersection(const CharSet& other) const {
  CharSet result;
  for (const CharRange& a : ranges_) {
    for (const CharRange& b : other.ranges_) {
      if (a.first <= b.last && b.first <= a.last)
        result.Add({std::max(a.first, b.first), std::min(a.last, b.last)});
    }
  }
  return result;
}

bool CharSet::Contains(char32_t c) const {
  if (c >= kFirstSurrogate && c <= kLastSurrogate) return false;
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [c](const CharRange& range) { return range.first <= c && c <= range.last; });
}

}  // namespace tinyvlm
