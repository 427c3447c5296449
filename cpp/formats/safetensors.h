// safetensors: random access by tensor name to one file, the table of the tensors of several files
// whose bytes are elsewhere, and a writer for small sets of tensors.
#ifndef TINYVLM_FORMATS_SAFETENSORS_H_
#define TINYVLM_FORMATS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "tensor/shape.h"

namespace tinyvlm {

// The element types of the format.
enum class SafetensorsType {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool
};

// "F32", "BF16", ...: the spelling in the files.
const char* SafetensorsTypeName(SafetensorsType type);

// Bytes of one element.
size_t SafetensorsTypeBytes(SafetensorsType type);

// One tensor of a file.
struct SafetensorsTensor {
  std::string name;
  std::string name_in_file;  // differs from `name` only after Safetensors::Rename
  SafetensorsType type = SafetensorsType::kF32;
  Shape shape;            // outermost dimension first
  uint64_t elements = 0;  // product of the shape
  uint32_t file = 0;      // index of its file, in the order in which they were added
  uint64_t offset = 0;    // from the start of that file
  uint64_t bytes = 0;     // elements * SafetensorsTypeBytes(type)
};

// `count` elements of a tensor from their bytes in the file, as f32. F32, F16 and BF16 tensors;
// kUnsupported for others.
Status DecodeF32(const SafetensorsTensor& tensor, const uint8_t* bytes, size_t count,
                 float* values);

// A file begins with the length of its header, in so many bytes.
inline constexpr size_t kSafetensorsPrefixBytes = 8;

// An error where a file of `file_bytes` bytes is too short for any header; `name` stands for it in
// the message.
Status CheckSafetensorsBytes(const std::string& name, uint64_t file_bytes);

// Bytes of the header that follows the file's first 8 bytes, `prefix`. kInvalidFile where a file of
// `file_bytes` bytes, which passed CheckSafetensorsBytes, cannot hold it.
Result<uint64_t> SafetensorsHeaderBytes(const std::string& name, uint64_t file_bytes,
                                        std::span<const uint8_t, kSafetensorsPrefixBytes> prefix);

// An index (model.safetensors.index.json) longer than this is rejected.
inline constexpr uint64_t kMaxSafetensorsIndexBytes = uint64_t{16} << 20;

// The shards of a checkpoint and what each of them holds: model.safetensors.index.json.
struct SafetensorsIndex {
  std::string name;                 // of the index itself, for error messages
  std::vector<std::string> shards;  // names of files beside it, sorted, each once
  std::vector<std::pair<std::string, std::string>> tensors;  // name of a tensor, its shard
};

// Reads an index; kInvalidFile where it is damaged or names something else than files beside it.
Result<SafetensorsIndex> ParseSafetensorsIndex(std::string name, std::string_view text);

// The tensors of one file or of several. Headers are checked when they are read (lengths, types,
// products, gaps, overlaps, names); data is read only by the Read functions.
class Safetensors {
 public:
  // One .safetensors file.
  static Result<Safetensors> Open(const std::string& path);

  // The bytes of one .safetensors file, which the caller keeps as long as this object is in use.
  // `name` stands for the path in error messages.
  static Result<Safetensors> FromBytes(std::string name, std::span<const uint8_t> bytes);

  // Adds the tensors of a file of `file_bytes` bytes by its header alone (the bytes behind the
  // first 8): they can be found, not read. `name` stands for the file in error messages. Finish()
  // follows the last one.
  Status AddHeader(std::string name, uint64_t file_bytes, std::string_view header);

  // Makes tensors that were added findable; an error where two have one name.
  Status Finish();

  // An error unless every tensor is in the file that `index` says; files were named `folder` and
  // the shard's name.
  Status CheckIndex(const SafetensorsIndex& index, const std::string& folder) const;

  // Gives tensors()[i] the name `names[i]` and leaves out those whose new name is empty. Pointers
  // to tensors become invalid. kInvalidFile where two have the same name then.
  Status Rename(std::span<const std::string> names);

  // Takes the files and tensors of `other`, whose indices of files come behind those here. Pointers
  // to tensors become invalid. kInvalidFile where a name is in both.
  Status Append(Safetensors other);

  // Sorted by name.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }

  // Null where there is none.
  const SafetensorsTensor* Find(std::string_view name) const;

  // The tensors whose names begin with `prefix`, sorted by name.
  std::span<const SafetensorsTensor> WithPrefix(std::string_view prefix) const;

  // The bytes [first, first + bytes) of a tensor as they are in the file.
  Status ReadBytes(const SafetensorsTensor& tensor, uint64_t first, void* data, size_t bytes) const;

  // The elements [first, first + count) as f32. F32, F16 and BF16 tensors; kUnsupported for others.
  Status ReadF32(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                 float* values) const;

  // The elements [first, first + count) as i64. I64 and I32 tensors; kUnsupported for others.
  Status ReadI64(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                 int64_t* values) const;

 private:
  // The bytes of one file: on disk, borrowed, or elsewhere.
  class Source {
   public:
    explicit Source(RandomAccessFile file) : file_(std::move(file)) {}
    Source(std::string name, std::span<const uint8_t> bytes)
        : name_(std::move(name)), bytes_(bytes) {}
    // Of bytes that are elsewhere; none can be read.
    explicit Source(std::string name) : name_(std::move(name)) {}

    // The path, or the name that was given.
    const std::string& name() const { return file_.has_value() ? file_->path() : name_; }
    uint64_t size() const { return file_.has_value() ? file_->size() : bytes_.size(); }
    Status ReadAt(uint64_t offset, void* data, size_t bytes) const;

   private:
    std::optional<RandomAccessFile> file_;  // absent: borrowed bytes, or none
    std::string name_;
    std::span<const uint8_t> bytes_;
  };

  Status AddSource(Source source);
  Status AddTensors(Source source, uint64_t file_bytes, std::string_view header);

  std::vector<Source> files_;
  std::vector<SafetensorsTensor> tensors_;
};

// A tensor to be written; `data` is little-endian, of the type and shape, and borrowed.
struct SafetensorsOutput {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  Shape shape;
  const void* data = nullptr;
};

// Writes a file that holds exactly these tensors, or leaves none.
Status WriteSafetensors(const std::string& path, std::span<const SafetensorsOutput> tensors);

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_SAFETENSORS_H_
