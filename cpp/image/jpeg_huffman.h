// The entropy-coded part of a JPEG: reading bits with byte stuffing, and Huffman tables.
#ifndef TINYVLM_IMAGE_JPEG_HUFFMAN_H_
#define TINYVLM_IMAGE_JPEG_HUFFMAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tinyvlm {

// A Huffman table in canonical form (ITU T.81, annex C). Codes of up to kLookupBits bits are found
// in one step, longer ones length by length.
class HuffmanTable {
 public:
  static constexpr int kLookupBits = 9;
  static constexpr int kMaxBits = 16;

  bool defined() const { return defined_; }

  // counts[i] codes have i+1 bits; `symbols` in order of code. False if the lengths do not form a
  // code or there are more than 256 symbols.
  bool Build(std::span<const uint8_t, 16> counts, std::span<const uint8_t> symbols);

 private:
  friend class BitReader;
  bool defined_ = false;
  uint16_t lookup_[1 << kLookupBits];  // length << 8 | symbol; 0 where the code is longer
  // first left-aligned 16-bit value that is not a code of this length or a shorter one
  uint32_t limit_[kMaxBits + 1];
  int32_t offset_[kMaxBits + 1];  // index of a code's symbol minus the code
  uint8_t symbols_[256];
};

// Reads the bits of one scan. At a marker or at the end of the file zeros are appended; overrun()
// tells if they have been read.
class BitReader {
 public:
  BitReader(const uint8_t* begin, const uint8_t* end) : next_(begin), end_(end) {}

  // The next symbol. Bits that are no code count as the symbol 0, which TakeBadCode tells.
  int Symbol(const HuffmanTable& table) {
    Ensure();
    const uint32_t entry = table.lookup_[bits_ >> (64 - HuffmanTable::kLookupBits)];
    if (entry != 0) {
      Drop(static_cast<int>(entry >> 8));
      return static_cast<int>(entry & 0xff);
    }
    return LongSymbol(table);
  }

  // `count` bits (0..16) as an unsigned number. After a Symbol or a SmallNumber there are always
  // enough of them.
  uint32_t Bits(int count) {
    if (count == 0) return 0;
    const uint32_t value = static_cast<uint32_t>(bits_ >> (64 - count));
    Drop(count);
    return value;
  }

  // `count` bits (0..16) in the sign convention of T.81: the lower half of the values is negative.
  int32_t Signed(int count) {
    if (count == 0) return 0;
    const int32_t value = static_cast<int32_t>(Bits(count));
    return value < (1 << (count - 1)) ? value - (1 << count) + 1 : value;
  }

  bool Bit() {
    Ensure();
    const bool bit = bits_ >> 63 != 0;
    Drop(1);
    return bit;
  }

  bool overrun() const { return count_ < padding_; }

  // Whether there were bits that are no code since the last call.
  bool TakeBadCode() { return std::exchange(bad_code_, false); }

  // Continues behind a restart marker.
  void Restart(std::span<const uint8_t> bytes);

  // Continues with the same bytes at another place: `bytes` begins with next(). Where they are not
  // all that the file has, they must last for what is read before the next Move.
  void Move(std::span<const uint8_t> bytes) {
    next_ = bytes.data();
    end_ = next_ + bytes.size();
  }

  const uint8_t* next() const { return next_; }

  // Bytes from next() on.
  size_t left() const { return static_cast<size_t>(end_ - next_); }

 private:
  // Afterwards there are at least 32 bits: enough for a code and the bits that follow it.
  void Ensure() {
    if (count_ < 32) Fill();
  }
  void Fill();
  int LongSymbol(const HuffmanTable& table);
  void Drop(int count) {
    bits_ <<= count;
    count_ -= count;
  }

  const uint8_t* next_;
  const uint8_t* end_;
  uint64_t bits_ = 0;  // left-aligned
  int count_ = 0;      // bits in bits_
  int padding_ = 0;    // zeros appended after the data's end
  bool bad_code_ = false;
};

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_JPEG_HUFFMAN_H_
