// Bounds-checked little-endian reads: every parser of binary headers uses them.
#ifndef TINYVLM_BASE_BYTE_READER_H_
#define TINYVLM_BASE_BYTE_READER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace tinyvlm {

// The value of sizeof(T) little-endian bytes; integers, f32 and f64. No alignment needed, no bounds
// known.
template <typename T>
T LoadLittleEndian(const uint8_t* bytes) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(LoadLittleEndian<uint32_t>(bytes));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(LoadLittleEndian<uint64_t>(bytes));
  } else {
    static_assert(std::is_integral_v<T>);
    std::make_unsigned_t<T> value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<std::make_unsigned_t<T>>(
          value | static_cast<std::make_unsigned_t<T>>(bytes[i]) << (8 * i));
    return static_cast<T>(value);
  }
}

// Reads borrowed bytes from front to back. A read beyond the end returns false and does not move
// the position.
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  template <typename T>
  bool Read(T* value) {
    if (remaining() < sizeof(T)) return false;
    *value = LoadLittleEndian<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return true;
  }

  // Returns a view of the next `length` bytes and skips them. 64 bits: lengths come from files.
  bool ReadBytes(uint64_t length, std::span<const uint8_t>* view) {
    if (length > remaining()) return false;
    *view = bytes_.subspan(position_, static_cast<size_t>(length));
    position_ += static_cast<size_t>(length);
    return true;
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
};

// The same bytes as characters.
inline std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_BYTE_READER_H_
