// PNG files taken apart into chunks, changed, and put together with right lengths and CRCs.
#ifndef TINYVLM_TESTS_FUZZ_PNG_EDIT_H_
#define TINYVLM_TESTS_FUZZ_PNG_EDIT_H_

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/dice.h"
#include "fuzz/fuzz.h"
#include "image/png.h"

namespace tinyvlm {

inline void AppendBigEndian(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

inline uint32_t ReadBigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// CRC-32 of PNG, bit by bit from its definition.
inline uint32_t PlainCrc(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

// A zlib stream of stored blocks.
inline std::string Store(std::string_view bytes) {
  constexpr size_t kBlock = 65535;
  std::string out = "\x78\x01";
  for (size_t at = 0;; at += kBlock) {
    const std::string_view block = bytes.substr(std::min(at, bytes.size()), kBlock);
    const bool last = at + kBlock >= bytes.size();
    out.push_back(last ? 1 : 0);
    for (const size_t n : {block.size(), ~block.size()}) {
      out.push_back(static_cast<char>(n));
      out.push_back(static_cast<char>(n >> 8));
    }
    out += block;
    if (last) break;
  }
  AppendBigEndian(static_cast<uint32_t>(adler32(adler32(0, nullptr, 0),
                                                reinterpret_cast<const Bytef*>(bytes.data()),
                                                static_cast<uInt>(bytes.size()))),
                  &out);
  return out;
}

// At most `most` bytes of a zlib stream.
inline std::string InflateSome(std::string_view bytes, size_t most) {
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out(most, '\0');
  if (inflateInit(&stream) != Z_OK) return "";
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(most);
  inflate(&stream, Z_FINISH);
  out.resize(most - stream.avail_out);
  inflateEnd(&stream);
  return out;
}

using PngChunk = std::pair<std::string, std::string>;  // type, content

inline std::string WritePng(const std::vector<PngChunk>& chunks) {
  std::string out(reinterpret_cast<const char*>(kPngSignature), sizeof(kPngSignature));
  for (const auto& [type, content] : chunks) {
    AppendBigEndian(static_cast<uint32_t>(content.size()), &out);
    out += type + content;
    AppendBigEndian(PlainCrc(type + content), &out);
  }
  return out;
}

// None where the bytes are not a signature and whole chunks, whatever their CRCs.
inline std::optional<std::vector<PngChunk>> ReadPng(std::string_view file) {
  if (file.size() < 8 || file.substr(1, 3) != "PNG") return std::nullopt;
  std::vector<PngChunk> chunks;
  for (file.remove_prefix(8); file.size() >= 12;) {
    const uint32_t length = ReadBigEndian(file);
    if (length > file.size() - 12) return std::nullopt;
    chunks.emplace_back(file.substr(4, 4), file.substr(8, length));
    file.remove_prefix(12 + length);
  }
  return chunks;
}

inline std::string PngHeader(uint32_t width, uint32_t height, uint8_t depth, uint8_t color,
                             bool interlaced) {
  std::string header;
  AppendBigEndian(width, &header);
  AppendBigEndian(height, &header);
  for (const uint8_t byte : {depth, color, uint8_t{0}, uint8_t{0}, uint8_t{interlaced}})
    header.push_back(static_cast<char>(byte));
  return header;
}

// The mutator of targets whose input is a PNG.
inline size_t MutatePng(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Dice dice(seed);
  std::optional<std::vector<PngChunk>> chunks = ReadPng(TextOf({data, size}));
  if (!chunks.has_value() || chunks->empty() || dice.OneIn(16))
    return LLVMFuzzerMutate(data, size, max_size);
  const size_t room = max_size - size;
  const size_t at = dice.Roll(chunks->size());
  PngChunk& chunk = (*chunks)[at];
  static constexpr const char* kTypes[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS",
                                           "eXIf", "gAMA", "tEXt", "ABCD", "abcd"};
  const auto first_data = std::find_if(chunks->begin(), chunks->end(),
                                       [](const PngChunk& each) { return each.first == "IDAT"; });
  switch (dice.Roll(10)) {
    case 0:
      chunks->erase(chunks->begin() + static_cast<ptrdiff_t>(at));
      break;
    case 1:
      chunks->insert(chunks->begin() + static_cast<ptrdiff_t>(at), PngChunk(chunk));
      break;
    case 2:
      std::swap(chunk, (*chunks)[dice.Roll(chunks->size())]);
      break;
    case 3:
      if (dice.OneIn(2)) chunk.first = kTypes[dice.Roll(std::size(kTypes))];
      break;
    case 4: {  // a header that is possible
      static constexpr std::pair<uint8_t, uint8_t> kKinds[] = {
          {1, 0}, {2, 0}, {4, 0}, {8, 0}, {16, 0}, {8, 2}, {16, 2}, {1, 3},
          {2, 3}, {4, 3}, {8, 3}, {8, 4}, {16, 4}, {8, 6}, {16, 6}};
      const auto [depth, color] = kKinds[dice.Roll(std::size(kKinds))];
      if (chunks->front().first == "IHDR")
        chunks->front().second =
            PngHeader(1 + static_cast<uint32_t>(dice.Roll(40)),
                      1 + static_cast<uint32_t>(dice.Roll(40)), depth, color, dice.OneIn(2));
      break;
    }
    case 5:  // a palette or a colour that is transparent, before the data
      chunks->insert(first_data, PngChunk(dice.OneIn(2) ? "PLTE" : "tRNS",
                                          std::string(1 + dice.Roll(768), '\x40')));
      break;
    case 6:
    case 7:  // the image data: what they inflate to
      if (first_data != chunks->end()) {
        std::string joined;
        for (const auto& [type, content] : *chunks) {
          if (type == "IDAT") joined += content;
        }
        std::string raw = InflateSome(joined, max_size);
        dice.Mutate(&raw, std::min<size_t>(room, 64));
        const size_t place = static_cast<size_t>(first_data - chunks->begin());
        std::erase_if(*chunks, [](const PngChunk& each) { return each.first == "IDAT"; });
        const std::string stored = Store(raw);
        const size_t cut = dice.OneIn(2) ? stored.size() : dice.Roll(stored.size());
        chunks->insert(chunks->begin() + static_cast<ptrdiff_t>(std::min(place, chunks->size())),
                       {{"IDAT", stored.substr(0, cut)}, {"IDAT", stored.substr(cut)}});
      }
      break;
    default:
      dice.Mutate(&chunk.second, std::min<size_t>(room, 64));
  }
  const std::string file = WritePng(*chunks);
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_PNG_EDIT_H_
