// What Unicode says of characters, as far as normalisation and the pre-split of byte-level BPE ask.
// The tables are made by tools/unicode_tables_generator.cc out of utf8proc, whose own tables hold
// much more and are six times as large (345 kB; these: 55 kB). tests-native/text makes them anew
// and compares.
#ifndef TINYVLM_TEXT_UNICODE_TABLES_H_
#define TINYVLM_TEXT_UNICODE_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace tinyvlm::unicode {

// Properties of a character, in 16 bits: the canonical combining class in the lowest 8, above it
// flags.
enum Property : uint16_t {
  kCombiningClass = 0xFF,
  kLetter = 1 << 8,  // general category L*
  kNumber = 1 << 9,  // general category N*
  // has a canonical decomposition; Hangul syllables, which decompose by arithmetic, not included
  kDecomposes = 1 << 10,
  // may be the second character of a canonical composition; Hangul vowels and finals not included
  kIsSecond = 1 << 11,
};

// Properties are looked up in two steps: kBlocks[c / kBlockSize] is the number of a block in
// kBlockProperties, whose entries are indices into kProperties.
inline constexpr size_t kBlockSize = 128;
extern const uint8_t kBlocks[0x110000 / kBlockSize];
extern const uint8_t kBlockProperties[];
extern const uint16_t kProperties[];

// Canonical decompositions of one step, sorted by character: character << 42 | first << 21 |
// second. Only the first character may decompose further; second is 0 where the decomposition is
// one character.
inline constexpr int kCharacterShift = 42, kFirstShift = 21;
inline constexpr uint64_t kCharacterMask = 0x1FFFFF;
extern const std::span<const uint64_t> kDecompositions;

// Indices into kDecompositions of those that are compositions as well, sorted by first and second
// character.
extern const std::span<const uint16_t> kCompositions;

}  // namespace tinyvlm::unicode

#endif  // TINYVLM_TEXT_UNICODE_TABLES_H_
