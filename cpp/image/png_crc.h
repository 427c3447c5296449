// The checksum of PNG chunks.
#ifndef TINYVLM_IMAGE_PNG_CRC_H_
#define TINYVLM_IMAGE_PNG_CRC_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace tinyvlm {

// CRC-32 as PNG has it (ISO 3309): the polynomial 0xedb88320, lowest bit first. Eight bytes at a
// time: table n gives what a byte becomes when n zero bytes follow it.
class PngCrc {
 public:
  // The CRC of some bytes is ~state.
  using State = uint32_t;
  static constexpr State kStart = ~uint32_t{0};

  PngCrc() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value % 2 != 0 ? 0xedb88320u : 0);
      table_[0][byte] = value;
    }
    for (size_t n = 1; n < 8; ++n) {
      for (size_t byte = 0; byte < 256; ++byte) {
        const uint32_t before = table_[n - 1][byte];
        table_[n][byte] = before >> 8 ^ table_[0][before & 0xff];
      }
    }
  }

  State Update(State state, std::span<const uint8_t> bytes) const {
    const uint8_t* p = bytes.data();
    size_t left = bytes.size();
    for (; left >= 8; left -= 8, p += 8) {
      state ^= uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
      state = table_[7][state & 0xff] ^ table_[6][state >> 8 & 0xff] ^
              table_[5][state >> 16 & 0xff] ^ table_[4][state >> 24] ^ table_[3][p[4]] ^
              table_[2][p[5]] ^ table_[1][p[6]] ^ table_[0][p[7]];
    }
    for (; left != 0; --left) state = state >> 8 ^ table_[0][(state ^ *p++) & 0xff];
    return state;
  }

 private:
  uint32_t table_[8][256];
};

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PNG_CRC_H_
