// safetensors: random access by tensor name to one file or to the shards of a checkpoint folder,
// and a writer for small sets of tensors.
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
  uint32_t file = 0;      // index of its shard
  uint64_t offset = 0;    // from the start of that file
  uint64_t bytes = 0;     // elements * SafetensorsTypeBytes(type)
};

// The tensors of one file or of several. Headers are read and checked when it is opened (lengths,
// types, products, gaps, overlaps, names); data only by the Read functions.
class Safetensors {
 public:
  // One .safetensors file.
  static Result<Safetensors> Open(const std::string& path);

  // The bytes of one .safetensors file, which the caller keeps as long as this object is in use.
  // `name` stands for the path in error messages.
  static Result<Safetensors> FromBytes(std::string name, std::span<const uint8_t> bytes);

  // Several files, each of whose tensors has a name that no other has.
  static Result<Safetensors> OpenFiles(std::span<const std::string> paths);

  // The weights of a checkpoint folder: the shards that model.safetensors.index.json names (all of
  // whose tensors must be there); without an index model.safetensors.
  static Result<Safetensors> OpenFolder(const std::string& folder);

  // Gives tensors()[i] the name `names[i]` and leaves out those whose new name is empty. Pointers
  // to tensors become invalid. kInvalidFile where two have the same name then.
  Status Rename(std::span<const std::string> names);

  // Takes the files and tensors of `other`. Pointers to tensors become invalid. kInvalidFile where
  // a name is in both.
  Status Append(Safetensors other);

  // Sorted by name.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }

  // The path of the file that a tensor is in, or the name of its borrowed bytes.
  const std::string& FileOf(const SafetensorsTensor& tensor) const {
    return files_[tensor.file].name();
  }

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
  // The bytes of one file: on disk, or borrowed.
  class Source {
   public:
    explicit Source(RandomAccessFile file) : file_(std::move(file)) {}
    Source(std::string name, std::span<const uint8_t> bytes)
        : name_(std::move(name)), bytes_(bytes) {}

    // The path, or the name of borrowed bytes.
    const std::string& name() const { return file_.has_value() ? file_->path() : name_; }
    uint64_t size() const { return file_.has_value() ? file_->size() : bytes_.size(); }
    Status ReadAt(uint64_t offset, void* data, size_t bytes) const;

   private:
    std::optional<RandomAccessFile> file_;  // absent: borrowed bytes
    std::string name_;
    std::span<const uint8_t> bytes_;
  };

  Status AddFile(const std::string& path);
  Status AddSource(Source source);
  Status SortByName();

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
