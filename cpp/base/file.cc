// 64-bit file offsets also where size_t has 32 bits.
#define _FILE_OFFSET_BITS 64  // NOLINT(bugprone-reserved-identifier): the C library's name

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#if __has_include(<sys/mman.h>) && !defined(__EMSCRIPTEN__)
// Emscripten's mmap reads a copy of the file into memory.
#define TINYVLM_HAS_MMAP 1
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace tinyvlm {

namespace {

// What the operating system said, as a Status about `path`.
Status SystemError(const char* action, const std::string& path) {
  const int error = errno;
  const ErrorCode code =
      error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
  return Error(code, "cannot %s %s: %s", action, path.c_str(), std::strerror(error));
}

// One read or write moves at most this much: some systems refuse 2 GB and more at once.
constexpr size_t kMaxTransfer = size_t{1} << 30;

template <typename Call>
auto Retry(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::optional<uint64_t> FileBytes(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

Result<std::vector<std::string>> ListFolder(const std::string& path) {
  struct Close {
    void operator()(DIR* folder) const { closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(opendir(path.c_str()));
  if (folder == nullptr) return SystemError("open", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) return SystemError("read", path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<RandomAccessFile> RandomAccessFile::Open(const std::string& path) {
  if (IsFolder(path))
    return Error(ErrorCode::kInvalidArgument, "%s: a file wanted, a folder found", path.c_str());
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait; regular files do not mind it.
  RandomAccessFile file(path, -1, 0, 0);
  file.descriptor_ = Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
  if (file.descriptor_ < 0) return SystemError("open", path);
  struct stat info;
  if (fstat(file.descriptor_, &info) != 0) return SystemError("open", path);
  if (!S_ISREG(info.st_mode))
    return Error(ErrorCode::kInvalidArgument, "%s: a regular file wanted, a pipe or device found",
                 path.c_str());
  file.size_ = static_cast<uint64_t>(info.st_size);
  return file;
}

Result<RandomAccessFile> RandomAccessFile::OpenRange(int descriptor, uint64_t offset,
                                                     uint64_t length) {
  const std::string name = Format("descriptor %d", descriptor);
  RandomAccessFile file(name, -1, offset, length);
  file.descriptor_ = Retry([&] { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); });
  if (file.descriptor_ < 0) return SystemError("open", name);
  struct stat info;
  if (fstat(file.descriptor_, &info) != 0) return SystemError("open", name);
  if (!S_ISREG(info.st_mode))
    return Error(ErrorCode::kInvalidArgument, "%s: a regular file wanted, a pipe or device found",
                 name.c_str());
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  if (offset > size || length > size - offset) {
    return Error(ErrorCode::kInvalidArgument,
                 "%s: %" PRIu64 " bytes at %" PRIu64 " wanted, a file of %" PRIu64 " bytes found",
                 name.c_str(), length, offset, size);
  }
  return file;
}

RandomAccessFile::RandomAccessFile(RandomAccessFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      begin_(other.begin_),
      size_(other.size_) {}

RandomAccessFile& RandomAccessFile::operator=(RandomAccessFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(begin_, other.begin_);
  std::swap(size_, other.size_);
  return *this;
}

RandomAccessFile::~RandomAccessFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status RandomAccessFile::ReadAt(uint64_t offset, void* data, size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    return Error(ErrorCode::kInvalidFile,
                 "%s is truncated: bytes %" PRIu64 "..%" PRIu64 " wanted, the file has %" PRIu64,
                 path_.c_str(), offset, offset + bytes - 1, size_);
  }
  uint8_t* to = static_cast<uint8_t*>(data);
  while (bytes > 0) {
    const auto count = Retry([&] {
      return pread(descriptor_, to, std::min(bytes, kMaxTransfer),
                   static_cast<off_t>(begin_ + offset));
    });
    if (count < 0) return SystemError("read", path_);
    if (count == 0)
      return Error(ErrorCode::kIo, "%s became shorter while it was read: it ends at byte %" PRIu64,
                   path_.c_str(), offset);
    to += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<size_t>(count);
  }
  return Status();
}

Result<MappedFile> MappedFile::Map(const RandomAccessFile& file) {
#if defined(TINYVLM_HAS_MMAP)
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE)),
                 before = file.begin_ % page;  // mappings begin on a page
  if (file.size() > SIZE_MAX - before)
    return Error(ErrorCode::kIo,
                 "cannot map %s: %" PRIu64 " bytes are more than this build can address",
                 file.path().c_str(), file.size());
  MappedFile mapped;
  if (file.size() == 0) return mapped;
  const size_t bytes = static_cast<size_t>(before + file.size());
  void* const map = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.descriptor_,
                         static_cast<off_t>(file.begin_ - before));
  if (map == MAP_FAILED) {
    const Status status = SystemError("map", file.path());
    return Status(ErrorCode::kIo, status.message());
  }
  mapped.map_ = map;
  mapped.map_bytes_ = bytes;
  mapped.bytes_ = {static_cast<const uint8_t*>(map) + before, static_cast<size_t>(file.size())};
  return mapped;
#else
  return Error(ErrorCode::kUnsupported, "cannot map %s: this system has no mapped files",
               file.path().c_str());
#endif
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : map_(std::exchange(other.map_, nullptr)),
      map_bytes_(std::exchange(other.map_bytes_, 0)),
      bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(map_bytes_, other.map_bytes_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
#if defined(TINYVLM_HAS_MMAP)
  if (map_ != nullptr) munmap(map_, map_bytes_);
#endif
}

Result<FileWriter> FileWriter::Create(const std::string& path) {
  if (path.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "the name of a file to write wanted, an empty one found");
  if (IsFolder(path))
    return Error(ErrorCode::kInvalidArgument,
                 "%s: the name of a file to write wanted, a folder of that name found",
                 path.c_str());
  FileWriter writer(path);
  writer.descriptor_ = Retry(
      [&] { return open(writer.partial_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (writer.descriptor_ < 0) return SystemError("create", writer.partial_);
  return writer;
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(partial_, other.partial_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

FileWriter::~FileWriter() { Discard(); }

void FileWriter::Discard() {
  if (descriptor_ < 0) return;
  close(std::exchange(descriptor_, -1));
  unlink(partial_.c_str());
}

Status FileWriter::WriteAt(uint64_t offset, const void* data, size_t bytes) {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const auto count = Retry([&] {
      return pwrite(descriptor_, from, std::min(bytes, kMaxTransfer), static_cast<off_t>(offset));
    });
    if (count <= 0) {
      if (count == 0) errno = EIO;
      return SystemError("write", partial_);
    }
    from += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<size_t>(count);
  }
  return Status();
}

Status FileWriter::Append(const void* data, size_t bytes) {
  TVLM_RETURN_IF_ERROR(WriteAt(size_, data, bytes));
  size_ += bytes;
  return Status();
}

Status FileWriter::Overwrite(uint64_t offset, const void* data, size_t bytes) {
  if (offset > size_ || bytes > size_ - offset) {
    return Error(ErrorCode::kInternal,
                 "%s: bytes %" PRIu64 " and %zu more cannot be replaced, only %" PRIu64
                 " were written",
                 path_.c_str(), offset, bytes, size_);
  }
  return WriteAt(offset, data, bytes);
}

Status FileWriter::Commit() {
  // Some file systems have no fsync (EINVAL); a disk that is full or broken may say so only here.
  if (Retry([&] { return fsync(descriptor_); }) != 0 && errno != EINVAL && errno != ENOSYS &&
      errno != ENOTSUP)
    return SystemError("write", partial_);
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0 || std::rename(partial_.c_str(), path_.c_str()) != 0) {
    const Status status = SystemError("finish", path_);
    unlink(partial_.c_str());
    return status;
  }
  return Status();
}

Result<std::string> ReadTextFile(const std::string& path, uint64_t max_bytes) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file, RandomAccessFile::Open(path));
  if (file.size() > max_bytes) {
    return Error(ErrorCode::kInvalidFile, "%s: at most %" PRIu64 " bytes wanted, %" PRIu64 " found",
                 path.c_str(), max_bytes, file.size());
  }
  std::string text(static_cast<size_t>(file.size()), '\0');
  TVLM_RETURN_IF_ERROR(file.ReadAt(0, text.data(), text.size()));
  return text;
}

}  // namespace tinyvlm
