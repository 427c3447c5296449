// Writes a GGUF v3 file tensor by tensor, without holding it in memory, with the hashes by which
// loaders verify a download. Its header can be made alone, for data that is written elsewhere.
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

// Bytes of the data section that one hash is of; the last chunk may be shorter.
inline constexpr uint32_t kGgufChunkBytes = 1 << 20;

// Makes the header of a file. Usage: Add... for every key, AddTensor for every tensor in the order
// of their data, LayOut, SetChunkHash for every chunk, FinishHeader. general.alignment (64) and the
// tinyvlm.* hash keys are added by LayOut.
class GgufHeaderWriter {
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

  // Declares the next tensor; `shape` has the outermost dimension first. An error if rows are not
  // whole blocks or the product overflows.
  Status AddTensor(std::string name, DType type, Shape shape);

  // Tensors declared so far, with their offsets in the data section.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // Bytes of the data section that the declared tensors take, padding included.
  uint64_t data_bytes() const;

  // Chunks that the data section consists of.
  uint64_t chunks() const { return (data_bytes() + kGgufChunkBytes - 1) / kGgufChunkBytes; }

  // Decides the header's size and everything in it but the hashes. No more keys or tensors after
  // this.
  void LayOut();

  // Bytes of the header, padding included, once it is laid out: where the data section begins.
  uint64_t header_bytes() const { return values_.size(); }

  // Stores the SHA-256 of the chunk of this index.
  void SetChunkHash(uint64_t chunk, const Sha256::Digest& digest);

  // The whole header with its own hash, once every chunk has one. The bytes are this object's.
  std::span<const uint8_t> FinishHeader();

 private:
  void StartValue(std::string_view key, GgufType type);
  void StartArray(std::string_view key, GgufType type, uint64_t count);

  std::vector<uint8_t> values_;  // the key-value section; the whole header once it is laid out
  uint64_t value_count_ = 0;
  std::vector<TensorInfo> tensors_;
  // Offsets in the header: of the chunks' hashes, and of the header's own.
  size_t chunk_hashes_offset_ = 0, header_hash_offset_ = 0;
};

// Writes a file. Usage: Add... and AddTensor as above, Begin, Append for the bytes, Finish. A
// writer that is destroyed before Finish leaves no file.
class GgufWriter : public GgufHeaderWriter {
 public:
  // Opens `path` for writing. No more keys or tensors after this.
  Status Begin(const std::string& path);

  // Appends the next bytes of the current tensor, at most up to its end. The writer inserts padding
  // between tensors itself.
  Status Append(const uint8_t* data, size_t bytes);

  // Writes the header with its hashes and renames the file to its final name. An error if bytes of
  // a tensor are missing.
  Status Finish();

 private:
  Status WriteData(const uint8_t* data, size_t bytes);

  std::optional<FileWriter> file_;
  size_t tensor_ = 0;     // index of the current tensor
  uint64_t written_ = 0;  // bytes of the data section so far
  Sha256 chunk_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_GGUF_WRITER_H_
