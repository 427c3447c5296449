// A tokenizer for tests: ids 0 to 255 are bytes, then come control tokens. Encode puts '^' where a
// dummy prefix would go.
#ifndef TINYVLM_TESTS_TEXT_BYTE_TOKENIZER_H_
#define TINYVLM_TESTS_TEXT_BYTE_TOKENIZER_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace tinyvlm {

class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(std::vector<std::string> controls = {}) : controls_(std::move(controls)) {
    for (int i = 0; i < 256; ++i) bytes_.push_back(static_cast<char>(i));
  }

  size_t size() const override { return 256 + controls_.size(); }
  Result<std::vector<int32_t>> Encode(std::string_view text, bool) const override {
    return EncodeContinuation(std::string(1, '^').append(text));
  }
  Result<std::vector<int32_t>> EncodeContinuation(std::string_view text) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
    return ids;
  }
  std::string_view TokenBytes(int32_t id) const override {
    return id >= 0 && id < 256 ? std::string_view(bytes_).substr(static_cast<size_t>(id), 1)
                               : std::string_view();
  }
  bool IsControl(int32_t id) const override {
    return id >= 256 && static_cast<size_t>(id) < size();
  }
  std::optional<int32_t> FindSpecial(std::string_view name) const override {
    const auto it = std::find(controls_.begin(), controls_.end(), name);
    if (it == controls_.end()) return std::nullopt;
    return 256 + static_cast<int32_t>(it - controls_.begin());
  }
  std::string Decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) text += TokenBytes(id);
    return text;
  }
  size_t memory_bytes() const override { return 256; }

 private:
  std::string bytes_;
  std::vector<std::string> controls_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_TEXT_BYTE_TOKENIZER_H_
