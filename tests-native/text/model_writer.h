// Writes SentencePiece models field by field, good ones and bad ones.
#ifndef TINYVLM_TESTS_TEXT_MODEL_WRITER_H_
#define TINYVLM_TESTS_TEXT_MODEL_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentencepiece_model.h"

namespace tinyvlm {

inline std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::string ReadWholeFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline std::string VarintField(uint32_t number, uint64_t value) {
  std::string out;
  const auto varint = [&](uint64_t v) {
    for (; v >= 0x80; v >>= 7) out.push_back(static_cast<char>(v | 0x80));
    out.push_back(static_cast<char>(v));
  };
  varint(uint64_t{number} << 3);
  varint(value);
  return out;
}

inline std::string BytesField(uint32_t number, std::string_view bytes) {
  std::string out = VarintField(number, bytes.size());
  out[0] = static_cast<char>(out[0] | 2);  // the wire type stands in the first byte
  return out.append(bytes);
}

inline std::string FloatField(uint32_t number, float value) {
  std::string out(1, static_cast<char>(number << 3 | 5));
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bits >> (8 * i)));
  return out;
}

inline std::string PieceField(std::string_view text, int type = kNormalPiece, float score = 0) {
  return BytesField(
      1, BytesField(1, text) + FloatField(2, score) + VarintField(3, static_cast<uint64_t>(type)));
}

struct ModelWriter {
  std::string pieces = PieceField("<unk>", kUnknownPiece) + PieceField("<s>", kControlPiece) +
                       PieceField("</s>", kControlPiece);
  std::string trainer = VarintField(3, 2);                         // BPE
  std::string normalizer = VarintField(3, 0) + VarintField(4, 0);  // no dummy prefix, spaces stay
  std::string rest;

  std::string Build() const {
    return pieces + BytesField(2, trainer) + BytesField(3, normalizer) + rest;
  }
};

inline std::string AllBytePieces() {
  std::string out;
  for (int i = 0; i < 256; ++i) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", static_cast<unsigned>(i));
    out += PieceField(text, kBytePiece);
  }
  return out;
}

// A trie that a test fills in: unit 0 is the root, whose children lie in the first block.
struct CharsmapWriter {
  std::vector<uint32_t> units = std::vector<uint32_t>(512, 0x80000000u);
  std::string results = std::string("x\0", 2);

  // A unit that is reached by `label` and whose children lie at (its own index ^ offset).
  static uint32_t Unit(uint8_t label, uint32_t offset, bool has_leaf) {
    return label | (has_leaf ? 0x100u : 0u) | offset << 10;
  }

  std::string Build() const {
    std::string out;
    const auto u32 = [&](uint32_t v) {
      for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(v >> (8 * i)));
    };
    u32(static_cast<uint32_t>(units.size() * 4));
    for (const uint32_t unit : units) u32(unit);
    return out + results;
  }
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_TEXT_MODEL_WRITER_H_
