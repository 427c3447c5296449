#include "faults/injection.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <new>
#include <unordered_set>

extern "C" {
void* __real_malloc(size_t bytes);
void __real_free(void* data);
}

namespace tinyvlm {

namespace {

thread_local Injection* armed_injection = nullptr;

// Memory for the set below, which is not counted.
template <typename T>
struct Uncounted {
  using value_type = T;
  Uncounted() = default;
  template <typename U>
  Uncounted(const Uncounted<U>&) {}  // NOLINT: as allocators convert
  T* allocate(size_t count) { return static_cast<T*>(__real_malloc(count * sizeof(T))); }
  void deallocate(T* data, size_t) { __real_free(data); }
  bool operator==(const Uncounted&) const { return true; }
};

// What was allocated inside of Injection::Call and has not been freed. Never destroyed: memory is
// freed after main, too.
struct Live {
  std::mutex mutex;
  std::unordered_set<void*, std::hash<void*>, std::equal_to<void*>, Uncounted<void*>> pointers;
};
Live& LiveSet() {
  alignas(Live) static unsigned char storage[sizeof(Live)];
  static Live* const live = new (storage) Live;
  return *live;
}

void Freed(void* data) {
  Live& live = LiveSet();
  const std::lock_guard<std::mutex> lock(live.mutex);
  live.pointers.erase(data);
}

}  // namespace

Injection::Armed::Armed(Injection* injection) { armed_injection = injection; }
Injection::Armed::~Armed() { armed_injection = nullptr; }

bool Injection::Fails(Fault fault) {
  Injection* const injection = armed_injection;
  if (injection == nullptr || injection->fault_ != fault) return false;
  const uint64_t number = injection->count_++;
  return number == injection->at_ || (injection->lasting_ && number > injection->at_);
}

size_t LiveAllocations() {
  Live& live = LiveSet();
  const std::lock_guard<std::mutex> lock(live.mutex);
  return live.pointers.size();
}

size_t LiveBytes() {
  Live& live = LiveSet();
  const std::lock_guard<std::mutex> lock(live.mutex);
  size_t bytes = 0;
  for (void* const data : live.pointers) bytes += malloc_usable_size(data);
  return bytes;
}

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

namespace {

// What the allocator gave; null and no allocation where it is to fail.
template <typename Allocate>
void* Count(const Allocate& allocate) {
  if (Injection::Fails(Fault::kAllocation)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const data = allocate();
  if (data != nullptr && armed_injection != nullptr) {
    Live& live = LiveSet();
    const std::lock_guard<std::mutex> lock(live.mutex);
    live.pointers.insert(data);
  }
  return data;
}

bool FileFails() {
  if (!Injection::Fails(Fault::kFile)) return false;
  errno = EIO;
  return true;
}

}  // namespace

}  // namespace tinyvlm

using tinyvlm::Count;
using tinyvlm::FileFails;

// ---- the C library, for what is linked into this program ------------------------

extern "C" {

void* __real_calloc(size_t count, size_t bytes);
int __real_posix_memalign(void** data, size_t alignment, size_t bytes);
void __wrap_free(void* data);

void* __wrap_malloc(size_t bytes) {
  return Count([&] { return __real_malloc(bytes); });
}

void* __wrap_calloc(size_t count, size_t bytes) {
  return Count([&] { return __real_calloc(count, bytes); });
}

void* __wrap_realloc(void* data, size_t bytes) {
  if (data == nullptr) return __wrap_malloc(bytes);
  void* const moved = __wrap_malloc(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, data, std::min(bytes, malloc_usable_size(data)));
  __wrap_free(data);
  return moved;
}

int __wrap_posix_memalign(void** data, size_t alignment, size_t bytes) {
  *data = Count([&] {
    void* made = nullptr;
    return __real_posix_memalign(&made, alignment, bytes) == 0 ? made : nullptr;
  });
  return *data == nullptr ? ENOMEM : 0;
}

void __wrap_free(void* data) {
  if (data != nullptr) tinyvlm::Freed(data);
  __real_free(data);
}

int __real_open(const char* path, int flags, ...);
int __real_open64(const char* path, int flags, ...);
ssize_t __real_pread(int file, void* to, size_t bytes, off_t at);
ssize_t __real_pread64(int file, void* to, size_t bytes, off64_t at);
ssize_t __real_pwrite(int file, const void* from, size_t bytes, off_t at);
ssize_t __real_pwrite64(int file, const void* from, size_t bytes, off64_t at);
int __real_fstat(int file, struct stat* info);
int __real_fstat64(int file, struct stat64* info);
void* __real_mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset);
void* __real_mmap64(void* at, size_t bytes, int protection, int flags, int file, off64_t offset);
int __real_fsync(int file);
int __real_close(int file);
int __real_rename(const char* from, const char* to);
DIR* __real_opendir(const char* path);
struct dirent* __real_readdir(DIR* folder);
struct dirent64* __real_readdir64(DIR* folder);

// The engine opens files with at most one further argument, the mode.
#define TVLM_WRAP_OPEN(name)                                               \
  int __wrap_##name(const char* path, int flags, ...) {                    \
    va_list more;                                                          \
    va_start(more, flags);                                                 \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                          \
    return FileFails() ? -1 : __real_##name(path, flags, mode);            \
  }
TVLM_WRAP_OPEN(open)
TVLM_WRAP_OPEN(open64)

ssize_t __wrap_pread(int file, void* to, size_t bytes, off_t at) {
  return FileFails() ? -1 : __real_pread(file, to, bytes, at);
}
ssize_t __wrap_pread64(int file, void* to, size_t bytes, off64_t at) {
  return FileFails() ? -1 : __real_pread64(file, to, bytes, at);
}
// A disk that becomes full takes a part of what it is given first.
ssize_t __wrap_pwrite(int file, const void* from, size_t bytes, off_t at) {
  if (!FileFails()) return __real_pwrite(file, from, bytes, at);
  (void)!__real_pwrite(file, from, bytes / 2, at);
  errno = ENOSPC;
  return -1;
}
ssize_t __wrap_pwrite64(int file, const void* from, size_t bytes, off64_t at) {
  if (!FileFails()) return __real_pwrite64(file, from, bytes, at);
  (void)!__real_pwrite64(file, from, bytes / 2, at);
  errno = ENOSPC;
  return -1;
}
int __wrap_fstat(int file, struct stat* info) {
  return FileFails() ? -1 : __real_fstat(file, info);
}
int __wrap_fstat64(int file, struct stat64* info) {
  return FileFails() ? -1 : __real_fstat64(file, info);
}
void* __wrap_mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) {
  return FileFails() ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, file, offset);
}
void* __wrap_mmap64(void* at, size_t bytes, int protection, int flags, int file, off64_t offset) {
  return FileFails() ? MAP_FAILED : __real_mmap64(at, bytes, protection, flags, file, offset);
}
int __wrap_fsync(int file) { return FileFails() ? -1 : __real_fsync(file); }
// The descriptor is gone also where close fails.
int __wrap_close(int file) {
  const bool fails = FileFails();
  const int result = __real_close(file);
  if (!fails) return result;
  errno = EIO;
  return -1;
}
int __wrap_rename(const char* from, const char* to) {
  return FileFails() ? -1 : __real_rename(from, to);
}
DIR* __wrap_opendir(const char* path) { return FileFails() ? nullptr : __real_opendir(path); }
struct dirent* __wrap_readdir(DIR* folder) {
  return FileFails() ? nullptr : __real_readdir(folder);
}
struct dirent64* __wrap_readdir64(DIR* folder) {
  return FileFails() ? nullptr : __real_readdir64(folder);
}

}  // extern "C"

// ---- operator new, for the whole program ----------------------------------------

namespace {

void* New(size_t bytes) {
  return Count([&] { return __real_malloc(bytes == 0 ? 1 : bytes); });
}

void* New(size_t bytes, std::align_val_t alignment) {
  return Count([&] {
    void* made = nullptr;
    return __real_posix_memalign(&made, static_cast<size_t>(alignment), bytes) == 0 ? made
                                                                                    : nullptr;
  });
}

void* Checked(void* data) {
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void Delete(void* data) noexcept { __wrap_free(data); }

}  // namespace

void* operator new(size_t bytes) { return Checked(New(bytes)); }
void* operator new[](size_t bytes) { return Checked(New(bytes)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return New(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return New(bytes); }
void* operator new(size_t bytes, std::align_val_t a) { return Checked(New(bytes, a)); }
void* operator new[](size_t bytes, std::align_val_t a) { return Checked(New(bytes, a)); }
void operator delete(void* data) noexcept { Delete(data); }
void operator delete[](void* data) noexcept { Delete(data); }
void operator delete(void* data, size_t) noexcept { Delete(data); }
void operator delete[](void* data, size_t) noexcept { Delete(data); }
void operator delete(void* data, std::align_val_t) noexcept { Delete(data); }
void operator delete[](void* data, std::align_val_t) noexcept { Delete(data); }
void operator delete(void* data, size_t, std::align_val_t) noexcept { Delete(data); }
void operator delete[](void* data, size_t, std::align_val_t) noexcept { Delete(data); }
