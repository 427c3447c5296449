// The bytes of an encoded image: in memory, or read piece by piece, so that a file need not be in
// memory as a whole.
#ifndef TINYVLM_IMAGE_BYTE_SOURCE_H_
#define TINYVLM_IMAGE_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

// A file. Decoders read it front to back, some parts more than once.
class ByteSource {
 public:
  // Writes bytes offset..offset+bytes of the file, which it has, to `to`. An error ends the
  // decoding.
  using Read = std::function<Status(size_t offset, uint8_t* to, size_t bytes)>;

  // The bytes are borrowed.
  explicit ByteSource(std::span<const uint8_t> memory) : memory_(memory), size_(memory.size()) {}
  ByteSource(size_t size, Read read) : size_(size), read_(std::move(read)) {}

  size_t size() const { return size_; }

 private:
  friend class ByteWindow;
  std::span<const uint8_t> memory_;
  size_t size_;
  Read read_;  // none: in memory
};

// A view of a part of a source. Each has a buffer of its own, unless the source is in memory.
class ByteWindow {
 public:
  // `capacity`: bytes that are read at a time. `source` is borrowed.
  ByteWindow(const ByteSource& source, size_t capacity) : source_(&source), capacity_(capacity) {}

  size_t size() const { return source_->size(); }

  // The bytes from `offset` on, `offset` <= size(): at least `least` of them where the source has
  // as many, often more, else all that are left. Valid until the next call. Errors: those of the
  // source, kOutOfMemory.
  Result<std::span<const uint8_t>> At(size_t offset, size_t least);

 private:
  const ByteSource* source_;
  size_t capacity_;
  AlignedBuffer<uint8_t> buffer_;
  size_t begin_ = 0, filled_ = 0;  // what the buffer holds
};

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_BYTE_SOURCE_H_
