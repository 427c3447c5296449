#include "text/normalize.h"

#include <algorithm>
#include <vector>

#include "base/utf8_encode.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

// Characters below it are unchanged by NFC and do not compose with each other.
constexpr char32_t kFirstAffected = 0x300;

// Hangul syllables by arithmetic (Unicode Standard, section 3.12).
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28,
                   kSyllableCount = kLeadCount * kVowelCount * kTailCount;

uint16_t Properties(char32_t c) {
  if (c >= 0x110000) return 0;
  return unicode::kProperties[unicode::kBlockProperties[unicode::kBlocks[c / unicode::kBlockSize] *
                                                            unicode::kBlockSize +
                                                        c % unicode::kBlockSize]];
}

struct Mark {
  char32_t character;
  uint8_t combining_class;
};

char32_t First(uint64_t decomposition) {
  return static_cast<char32_t>(decomposition >> unicode::kFirstShift & unicode::kCharacterMask);
}
char32_t Second(uint64_t decomposition) {
  return static_cast<char32_t>(decomposition & unicode::kCharacterMask);
}

// Appends the full canonical decomposition.
void AppendDecomposed(char32_t c, std::vector<Mark>* out) {
  if (c - kSyllables < kSyllableCount) {
    const char32_t index = c - kSyllables;
    out->push_back({kLeads + index / (kVowelCount * kTailCount), 0});
    out->push_back({kVowels + index / kTailCount % kVowelCount, 0});
    if (index % kTailCount != 0) out->push_back({kTails + index % kTailCount, 0});
    return;
  }
  const uint16_t properties = Properties(c);
  if ((properties & unicode::kDecomposes) == 0) {
    out->push_back({c, static_cast<uint8_t>(properties & unicode::kCombiningClass)});
    return;
  }
  const uint64_t key = static_cast<uint64_t>(c) << unicode::kCharacterShift;
  const uint64_t decomposition =
      *std::lower_bound(unicode::kDecompositions.begin(), unicode::kDecompositions.end(), key);
  AppendDecomposed(First(decomposition), out);  // a few levels deep at most
  if (Second(decomposition) != 0) AppendDecomposed(Second(decomposition), out);
}

// The canonical composition of the two characters; 0 if there is none.
char32_t Composed(char32_t first, char32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  }
  if (first - kSyllables < kSyllableCount && (first - kSyllables) % kTailCount == 0 &&
      second - kTails - 1 < kTailCount - 1)
    return first + (second - kTails);
  if ((Properties(second) & unicode::kIsSecond) == 0) return 0;
  constexpr uint64_t kPairMask = (uint64_t{1} << unicode::kCharacterShift) - 1;
  const uint64_t pair = static_cast<uint64_t>(first) << unicode::kFirstShift | second;
  const auto pair_of = [](uint16_t i) { return unicode::kDecompositions[i] & kPairMask; };
  const auto at = std::lower_bound(unicode::kCompositions.begin(), unicode::kCompositions.end(),
                                   pair, [&](uint16_t i, uint64_t p) { return pair_of(i) < p; });
  if (at == unicode::kCompositions.end() || pair_of(*at) != pair) return 0;
  return static_cast<char32_t>(unicode::kDecompositions[*at] >> unicode::kCharacterShift);
}

// Canonical order: sorts each run of marks by combining class, stably.
void SortMarks(std::vector<Mark>* characters) {
  for (auto begin = characters->begin(); begin != characters->end();) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, characters->end(),
                                  [](const Mark& m) { return m.combining_class == 0; });
    std::stable_sort(begin, end, [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    begin = end;
  }
}

// Canonical composition in place: a character joins the last starter unless something between them,
// of its own class or a starter, blocks it.
void Compose(std::vector<Mark>* characters) {
  size_t kept = 0;
  size_t starter = characters->size();  // none yet
  // class of the last character kept after the starter; -1: none
  int between = -1;
  for (size_t i = 0; i < characters->size(); ++i) {
    const Mark mark = (*characters)[i];
    if (starter < characters->size() && between < static_cast<int>(mark.combining_class)) {
      const char32_t composed = Composed((*characters)[starter].character, mark.character);
      if (composed != 0) {
        (*characters)[starter].character = composed;
        continue;
      }
    }
    if (mark.combining_class == 0) {
      starter = kept;
      between = -1;
    } else {
      between = mark.combining_class;
    }
    (*characters)[kept++] = mark;
  }
  characters->resize(kept);
}

}  // namespace

std::string NormalizeNfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t begin = 0;  // offset of the text that is not copied yet
  std::vector<Mark> characters;
  while (begin < text.size()) {
    // Characters below kFirstAffected are copied unchanged, except the last one before others,
    // which may compose with them.
    size_t plain = begin, last = begin;
    while (plain < text.size()) {
      const Utf8Step step = NextUtf8(text.substr(plain));
      if (step.kind != Utf8Step::kCharacter || step.character >= kFirstAffected) break;
      last = plain;
      plain += step.length;
    }
    if (plain == text.size()) last = plain;
    out.append(text, begin, last - begin);
    // It and the others, up to the next such character, which is a starter and joins nothing before
    // it.
    characters.clear();
    size_t end = last;
    while (end < text.size()) {
      const Utf8Step step = NextUtf8(text.substr(end));
      const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : kReplacementCharacter;
      if (c < kFirstAffected && end > last) break;
      AppendDecomposed(c, &characters);
      end += step.length;
    }
    SortMarks(&characters);
    Compose(&characters);
    for (const Mark& mark : characters) AppendUtf8(mark.character, &out);
    begin = end;
  }
  return out;
}

bool IsLetter(char32_t c) { return (Properties(c) & unicode::kLetter) != 0; }

bool IsNumber(char32_t c) { return (Properties(c) & unicode::kNumber) != 0; }

}  // namespace tinyvlm
