#include "unicode_tables_generator.h"

#include <utf8proc.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "text/unicode_tables.h"

namespace tinyvlm::unicode {
namespace {

using Characters = std::vector<int32_t>;

constexpr int32_t kEnd = 0x110000;
constexpr int32_t kFirstHangul = 0xAC00, kLastHangul = 0xD7A3;

[[noreturn]] void Fail(const char* what, long long value) {
  std::fprintf(stderr, "unicode_tables_generator: %s: %lld\n", what, value);
  std::exit(1);
}

// The full canonical decomposition.
Characters Decompose(int32_t character) {
  Characters out(32);
  const utf8proc_ssize_t size =
      utf8proc_decompose_char(character, out.data(), static_cast<utf8proc_ssize_t>(out.size()),
                              UTF8PROC_DECOMPOSE, nullptr);
  if (size < 1 || size > static_cast<utf8proc_ssize_t>(out.size()))
    Fail("a character's decomposition has an odd length", size);
  out.resize(static_cast<size_t>(size));
  return out;
}

Characters Compose(Characters characters) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t size = utf8proc_normalize_utf32(
      characters.data(), static_cast<utf8proc_ssize_t>(characters.size()), options);
  if (size < 1) Fail("utf8proc_normalize_utf32", size);
  characters.resize(static_cast<size_t>(size));
  return characters;
}

struct Decomposition {
  int32_t character, first, second;
  bool composes;

  uint64_t Packed() const {
    return static_cast<uint64_t>(character) << kCharacterShift |
           static_cast<uint64_t>(first) << kFirstShift | static_cast<uint64_t>(second);
  }
};

// Decompositions of one step. utf8proc gives full ones: the step is to the last character and to
// what the others are the decomposition of.
std::vector<Decomposition> FindDecompositions() {
  std::map<Characters, int32_t> by_full;
  for (int32_t c = 0; c < kEnd; ++c) {
    if (c >= kFirstHangul && c <= kLastHangul) continue;
    const Characters full = Decompose(c);
    if (full == Characters{c}) continue;
    const auto [at, added] = by_full.emplace(full, c);
    // Of several, the one that is composed: the others are excluded, or lead to it.
    if (!added && Compose(full) == Characters{c}) at->second = c;
  }
  std::vector<Decomposition> all;
  for (int32_t c = 0; c < kEnd; ++c) {
    if (c >= kFirstHangul && c <= kLastHangul) continue;
    Characters full = Decompose(c);
    if (full == Characters{c}) continue;
    const bool composes = full.size() > 1 && Compose(full) == Characters{c};
    const int32_t second = full.size() > 1 ? full.back() : 0;
    if (full.size() > 1) full.pop_back();
    int32_t first = full[0];
    if (full.size() > 1) {
      const auto at = by_full.find(full);
      if (at == by_full.end()) Fail("no character for a part of the decomposition of", c);
      first = at->second;
    }
    all.push_back({c, first, second, composes});
  }
  return all;
}

// Appends the definition of an array; as many values in a line as fit into 100 columns.
template <typename T>
void AppendArray(const char* declaration, const std::vector<T>& values, std::string* out) {
  constexpr size_t kInLine = sizeof(T) == 8 ? 5 : sizeof(T) == 2 ? 12 : 16;
  *out += declaration;
  *out += "[] = {";
  for (size_t i = 0; i < values.size(); ++i) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%" PRIX64 ",", static_cast<uint64_t>(values[i]));
    *out += i % kInLine == 0 ? "\n" : " ";
    *out += text;
  }
  *out += "\n};\n";
}

}  // namespace

std::string GenerateUnicodeTables() {
  const std::vector<Decomposition> decompositions = FindDecompositions();
  std::vector<uint16_t> of(kEnd, 0);
  for (int32_t c = 0; c < kEnd; ++c) {
    const utf8proc_property_t& property = *utf8proc_get_property(c);
    if (property.combining_class < 0 || property.combining_class > kCombiningClass)
      Fail("a combining class", property.combining_class);
    of[static_cast<size_t>(c)] = static_cast<uint16_t>(property.combining_class);
    if (property.category >= UTF8PROC_CATEGORY_LU && property.category <= UTF8PROC_CATEGORY_LO)
      of[static_cast<size_t>(c)] |= kLetter;
    if (property.category >= UTF8PROC_CATEGORY_ND && property.category <= UTF8PROC_CATEGORY_NO)
      of[static_cast<size_t>(c)] |= kNumber;
  }
  std::vector<uint64_t> packed;
  std::vector<uint16_t> compositions;
  for (const Decomposition& one : decompositions) {
    of[static_cast<size_t>(one.character)] |= kDecomposes;
    if (one.composes) {
      of[static_cast<size_t>(one.second)] |= kIsSecond;
      compositions.push_back(static_cast<uint16_t>(packed.size()));
    }
    packed.push_back(one.Packed());
  }
  if (packed.size() > UINT16_MAX)
    Fail("too many decompositions", static_cast<long long>(packed.size()));
  std::sort(compositions.begin(), compositions.end(), [&](uint16_t a, uint16_t b) {
    return std::pair(decompositions[a].first, decompositions[a].second) <
           std::pair(decompositions[b].first, decompositions[b].second);
  });

  std::vector<uint16_t> properties = of;
  std::sort(properties.begin(), properties.end());
  properties.erase(std::unique(properties.begin(), properties.end()), properties.end());
  std::map<std::string, uint8_t> numbers;
  std::vector<uint8_t> blocks, block_properties;
  for (size_t begin = 0; begin < of.size(); begin += kBlockSize) {
    std::string block;
    for (size_t i = begin; i < begin + kBlockSize; ++i) {
      block.push_back(static_cast<char>(
          std::lower_bound(properties.begin(), properties.end(), of[i]) - properties.begin()));
    }
    const auto [at, added] = numbers.emplace(block, static_cast<uint8_t>(numbers.size()));
    for (size_t i = 0; added && i < block.size(); ++i)
      block_properties.push_back(static_cast<uint8_t>(block[i]));
    blocks.push_back(at->second);
  }
  if (properties.size() > 256 || numbers.size() > 256)
    Fail("more than 256 blocks or kinds of character", static_cast<long long>(numbers.size()));

  std::string out = "// Made by tools/unicode_tables_generator.cc from utf8proc ";
  out.append(utf8proc_version()).append(" (Unicode ").append(utf8proc_unicode_version());
  out +=
      "). To make it anew:\n// cmake --build --preset release --target unicode-tables\n"
      "// build/release/tests-native/text/unicode-tables > cpp/text/unicode_tables.cc\n"
      "// clang-format off\n#include \"text/unicode_tables.h\"\n\nnamespace tinyvlm::unicode {\n\n";
  AppendArray("const uint8_t kBlocks", blocks, &out);
  AppendArray("const uint8_t kBlockProperties", block_properties, &out);
  AppendArray("const uint16_t kProperties", properties, &out);
  AppendArray("static constexpr uint64_t kDecompositionValues", packed, &out);
  AppendArray("static constexpr uint16_t kCompositionValues", compositions, &out);
  out +=
      "const std::span<const uint64_t> kDecompositions = kDecompositionValues;\n"
      "const std::span<const uint16_t> kCompositions = kCompositionValues;\n\n"
      "}  // namespace tinyvlm::unicode\n";
  return out;
}

}  // namespace tinyvlm::unicode
