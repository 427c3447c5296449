// GGUF, read from a prefix of the file: metadata and tensor table, every length, count, offset,
// overlap, alignment and product checked.
#ifndef TINYVLM_FORMATS_GGUF_H_
#define TINYVLM_FORMATS_GGUF_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/sha256.h"
#include "base/status.h"
#include "tensor/tensor.h"

namespace tinyvlm {

// Value types by their GGUF numbers.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// The key-value section: a copy of its bytes and an index. Views that it returns are valid as long
// as it exists, and stay valid when it is moved.
class Metadata {
 public:
  struct Entry {
    std::string_view key;
    GgufType type;  // of the value, or of the elements of an array
    bool is_array;
    uint64_t count;                   // 1, or the number of elements of an array
    std::span<const uint8_t> values;  // the bytes as in the file
  };

  // In the file's order.
  const std::vector<Entry>& entries() const { return entries_; }

  // Null if the key is absent.
  const Entry* Find(std::string_view key) const;

  // The value of a required key. Integers of any width and sign are accepted if the value fits;
  // floats may be f32 or f64. Errors: kNotFound if the key is absent, kInvalidFile if its value has
  // another type or does not fit; both name the key.
  Result<uint32_t> GetU32(std::string_view key) const;
  Result<int32_t> GetI32(std::string_view key) const;
  Result<float> GetF32(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string> GetString(std::string_view key) const;
  Result<std::vector<int32_t>> GetI32Array(std::string_view key) const;
  Result<std::vector<float>> GetF32Array(std::string_view key) const;
  Result<std::span<const uint8_t>> GetU8Array(std::string_view key) const;           // a view
  Result<std::vector<std::string_view>> GetStringArray(std::string_view key) const;  // views

 private:
  friend class GgufParser;
  Result<const Entry*> FindTyped(std::string_view key, bool is_array, bool (*is_type)(GgufType),
                                 const char* wanted) const;

  AlignedBuffer<uint8_t> bytes_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> by_key_;  // indices of entries_, sorted by key
};

// The header of a GGUF file. Movable only.
struct GgufFile {
  uint32_t version = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // sorted by offset: in the order of the file
  std::vector<uint32_t> by_name;    // indices of tensors, sorted by name
  uint64_t alignment = 32;
  uint64_t data_offset = 0;   // bytes of the header, padding included
  uint64_t tensor_bytes = 0;  // size of the data section up to the end of the last tensor
  // The same with the final padding, which a file without hashes may lack.
  uint64_t data_bytes = 0;

  // Our converter's files contain hashes (tinyvlm.chunk_sha256, tinyvlm.header_sha256): all of
  // these fields are set, or none.
  uint64_t chunk_size = 0;  // 0: no hashes
  // 32 bytes per chunk of the data section; a view into `metadata`.
  std::span<const uint8_t> chunk_hashes;
  // File offset of the 32 bytes of the header's hash.
  uint64_t header_hash_offset = 0;

  // Null if the file has no such tensor.
  const TensorInfo* Find(std::string_view name) const;
};

struct GgufParse {
  std::optional<GgufFile> file;  // absent: the prefix ends inside the header
  // In that case: the header needs at least this many bytes (more than were given).
  uint64_t bytes_needed = 0;
};

// Parses the header from the first bytes of a file. Never reads beyond them, and allocates memory
// in proportion to them only. Versions 2 and 3, little-endian. Errors: kInvalidFile for damage and
// for other kinds of file (named if recognised), kUnsupported for a big-endian file, another
// version, or a tensor type that this engine does not know.
Result<GgufParse> ParseGgufHeader(std::span<const uint8_t> prefix);

// Checks the SHA-256 of the header that it contains itself. `header` is the first data_offset bytes
// of the file. OK if there is no hash.
Status VerifyHeaderHash(const GgufFile& file, std::span<const uint8_t> header);

// The hash in the header for a chunk of the data section: bytes [chunk * chunk_size, (chunk + 1) *
// chunk_size), up to data_bytes.
Sha256::Digest ChunkHash(const GgufFile& file, uint64_t chunk);

// Compares the bytes of a chunk with that hash; the file has hashes.
Status VerifyChunk(const GgufFile& file, uint64_t chunk, std::span<const uint8_t> bytes);

// An error where a file of `bytes` bytes is truncated, or longer than its header says. A file
// without hashes may lack the padding behind its last tensor.
Status CheckFileBytes(const GgufFile& file, uint64_t bytes);

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_GGUF_H_
