// Builds GGUF bytes value by value, wrong ones too: what the writer would never write.
#ifndef TINYVLM_TESTS_FORMATS_GGUF_BYTES_H_
#define TINYVLM_TESTS_FORMATS_GGUF_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "formats/gguf.h"

namespace tinyvlm {

class GgufBytes {
 public:
  GgufBytes(uint64_t tensors, uint64_t values, uint32_t version = 3) {
    Text("GGUF").U32(version).U64(tensors).U64(values);
  }

  GgufBytes& Text(std::string_view text) {
    // insert() and resize(): GCC 12 warns of overflows that are none
    for (const char c : text) bytes.push_back(static_cast<uint8_t>(c));
    return *this;
  }
  GgufBytes& U8(uint8_t value) { return Raw(value); }
  GgufBytes& U32(uint32_t value) { return Raw(value); }
  GgufBytes& U64(uint64_t value) { return Raw(value); }
  GgufBytes& F32(float value) { return Raw(value); }
  GgufBytes& F64(double value) { return Raw(value); }
  GgufBytes& String(std::string_view text) { return U64(text.size()).Text(text); }
  GgufBytes& Key(std::string_view key, GgufType type) {
    return String(key).U32(static_cast<uint32_t>(type));
  }
  GgufBytes& Array(std::string_view key, GgufType type, uint64_t count) {
    return Key(key, GgufType::kArray).U32(static_cast<uint32_t>(type)).U64(count);
  }
  GgufBytes& Tensor(std::string_view name, std::vector<uint64_t> ne, uint32_t type,
                    uint64_t offset) {
    String(name).U32(static_cast<uint32_t>(ne.size()));
    for (const uint64_t n : ne) U64(n);
    return U32(type).U64(offset);
  }
  GgufBytes& Pad(size_t alignment = 32) {
    while (bytes.size() % alignment != 0) bytes.push_back(0);
    return *this;
  }

  std::vector<uint8_t> bytes;

 private:
  template <typename T>
  GgufBytes& Raw(T value) {
    uint8_t raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    for (const uint8_t byte : raw) bytes.push_back(byte);
    return *this;
  }
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FORMATS_GGUF_BYTES_H_
