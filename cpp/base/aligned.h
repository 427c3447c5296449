// Aligned allocation whose failure is a Status: every buffer whose size comes from a file, an image
// or a config is made here.
#ifndef TINYVLM_BASE_ALIGNED_H_
#define TINYVLM_BASE_ALIGNED_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#ifdef _WIN32
#include <malloc.h>
#endif

#include "base/status.h"

namespace tinyvlm {

// Widest vector any target loads (AVX-512) and a cache line of every machine we run on.
inline constexpr size_t kAlignment = 64;

// `bytes` bytes at a multiple of kAlignment, or null; freed with FreeAligned. Not aligned_alloc:
// Android has it from API level 28 on only, and Windows has none.
inline void* AllocateAligned(size_t bytes) {
#ifdef _WIN32
  return _aligned_malloc(bytes, kAlignment);
#else
  void* data = nullptr;
  return posix_memalign(&data, kAlignment, bytes) == 0 ? data : nullptr;
#endif
}

inline void FreeAligned(void* data) {
#ifdef _WIN32
  _aligned_free(data);
#else
  std::free(data);
#endif
}

// An owned, 64-byte aligned array of `size()` trivially copyable values, not initialised unless
// asked. Movable, not copyable.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    if (this != &other) {
      FreeAligned(data_);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { FreeAligned(data_); }

  // Allocates `size` values; `what` names the buffer in the error ("weights", "KV cache").
  static Result<AlignedBuffer> Allocate(uint64_t size, const char* what) {
    AlignedBuffer buffer;
    if (size == 0) return buffer;
    constexpr uint64_t kLimit = static_cast<uint64_t>(SIZE_MAX / 2);
    if (size <= kLimit / sizeof(T)) {
      const size_t bytes =
          (static_cast<size_t>(size) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
      buffer.data_ = static_cast<T*>(AllocateAligned(bytes));
    }
    if (buffer.data_ == nullptr) {
      return Error(ErrorCode::kOutOfMemory,
                   "not enough memory for the %s: %.1f MB wanted; use a smaller model, image size "
                   "or context",
                   what, static_cast<double>(size) * sizeof(T) / 1e6);
    }
    buffer.size_ = static_cast<size_t>(size);
    return buffer;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_ALIGNED_H_
