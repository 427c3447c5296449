// Writes a GGUF v3 file whose tensors stream through, with the hashes by which a download checks
// itself.
#ifndef TINYVLM_FORMATS_GGUF_WRITER_H_
#define TINYVLM_FORMATS_GGUF_WRITER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "formats/gguf.h"
#include "tensor/tensor.h"

namespace tinyvlm {

// Use: Add... for every key, AddTensor for every tensor in the order of their data, Begin, Append
// the bytes, Finish. The writer itself adds general.alignment (64) and the tinyvlm.* hash keys. A
// writer destroyed before Finish leaves no file.
class GgufWriter {
 public:
  void AddU32(std::string_view key, uint32_t value);
  void AddI32(std::string_view key, int32_t value);
  void AddF32(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddI32Array(std::string_view key, std::span<const int32_t> values);
  void AddF32Array(std::string_view key, std::span<const float> values);
  void AddU8Array(std::string_view key, std::span<const uint8_t> values);
  void AddStringArray(std::string_view key, std::span<const std::string> values);

  // A key of another file, with its value as it is there.
  void AddEntry(const Metadata::Entry& entry);

  // Declares the next tensor; `shape` outermost first. An error where rows are not whole blocks or
  // the product overflows.
  Status AddTensor(std::string name, DType type, Shape shape);

  // Tensors declared so far, with their places in the data section.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // Bytes of the data section that the declared tensors take, padding included.
  uint64_t data_bytes() const;

  // Opens `path` for writing. No more keys or tensors after this.
  Status Begin(const std::string& path);

  // The next bytes of the tensor that is being written; they end at or before its end. Padding
  // between tensors is the writer's business.
  Status Append(const uint8_t* data, size_t bytes);

  // Writes the header with its hashes and gives the file its name. An error where a tensor has not
  // got all its bytes.
  Status Finish();

 private:
  void StartValue(std::string_view key, GgufType type);
  void StartArray(std::string_view key, GgufType type, uint64_t count);
  Status WriteData(const uint8_t* data, size_t bytes);

  std::vector<uint8_t> values_;  // the key-value section; the whole header once Begin() was called
  uint64_t value_count_ = 0;
  std::vector<TensorInfo> tensors_;

  std::optional<FileWriter> file_;
  size_t tensor_ = 0;     // being written
  uint64_t written_ = 0;  // bytes of the data section
  Sha256 chunk_;
  // in the header: of the next chunk's hash and of its own
  size_t chunk_hash_offset_ = 0, header_hash_offset_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_GGUF_WRITER_H_
