#include "image/jpeg_huffman.h"

#include <algorithm>

namespace tinyvlm {

bool HuffmanTable::Build(std::span<const uint8_t, 16> counts, std::span<const uint8_t> symbols) {
  defined_ = false;
  if (symbols.size() > 256) return false;
  std::copy(symbols.begin(), symbols.end(), symbols_);
  std::fill(std::begin(lookup_), std::end(lookup_), uint16_t{0});
  uint32_t code = 0;
  size_t index = 0;
  for (int length = 1; length <= kMaxBits; ++length) {
    const uint32_t count = counts[static_cast<size_t>(length) - 1];
    if (index + count > symbols.size() || code + count > (1u << length)) return false;
    offset_[length] = static_cast<int32_t>(index) - static_cast<int32_t>(code);
    for (uint32_t i = 0; i < count; ++i, ++code, ++index) {
      if (length > kLookupBits) continue;
      const uint16_t entry = static_cast<uint16_t>(length << 8 | symbols_[index]);
      const uint32_t first = code << (kLookupBits - length);
      std::fill_n(lookup_ + first, size_t{1} << (kLookupBits - length), entry);
    }
    limit_[length] = code << (kMaxBits - length);
    code <<= 1;
  }
  defined_ = index == symbols.size();
  return defined_;
}

int BitReader::LongSymbol(const HuffmanTable& table) {
  const uint32_t peek = static_cast<uint32_t>(bits_ >> 48);
  for (int length = HuffmanTable::kLookupBits + 1; length <= HuffmanTable::kMaxBits; ++length) {
    if (peek >= table.limit_[length]) continue;
    const uint32_t code = peek >> (16 - length);
    Drop(length);
    return table.symbols_[static_cast<int32_t>(code) + table.offset_[length]];
  }
  // What libjpeg does, so that the same is drawn of damaged data.
  Drop(HuffmanTable::kMaxBits + 1);
  bad_code_ = true;
  return 0;
}

void BitReader::Fill() {
  if (end_ - next_ >= 4) {
    const uint32_t word =
        uint32_t{next_[0]} << 24 | uint32_t{next_[1]} << 16 | uint32_t{next_[2]} << 8 | next_[3];
    const bool has_ff = ((~word - 0x01010101u) & word & 0x80808080u) != 0;
    if (!has_ff) {
      bits_ |= uint64_t{word} << (32 - count_);
      count_ += 32;
      next_ += 4;
      return;
    }
  }
  while (count_ <= 56) {
    uint64_t byte = 0;
    if (next_ == end_ || (*next_ == 0xff && (end_ - next_ < 2 || next_[1] != 0))) {
      padding_ += 8;
    } else {
      byte = *next_;
      next_ += byte == 0xff ? 2 : 1;
    }
    bits_ |= byte << (56 - count_);
    count_ += 8;
  }
}

void BitReader::Restart(std::span<const uint8_t> bytes) {
  Move(bytes);
  bits_ = 0;
  count_ = 0;
  padding_ = 0;
}

}  // namespace tinyvlm
