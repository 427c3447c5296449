// Files: random reads with 64-bit offsets, read-only mappings, and writing that leaves either a
// whole file or none.
#ifndef TINYVLM_BASE_FILE_H_
#define TINYVLM_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// True where `path` is a regular file (or a link to one).
bool IsFile(const std::string& path);

// True where `path` is a folder (or a link to one).
bool IsFolder(const std::string& path);

// The size of the regular file `path` (or of the one that it links to); no value where it is none.
std::optional<uint64_t> FileBytes(const std::string& path);

// Names of what is in the folder `path`, sorted, without "." and "..".
Result<std::vector<std::string>> ListFolder(const std::string& path);

// A regular file, or a range of one, open for reading. Reads from several threads do not disturb
// each other.
class RandomAccessFile {
 public:
  static Result<RandomAccessFile> Open(const std::string& path);

  // `length` bytes at `offset` of the regular file behind `descriptor`, which stays the caller's
  // and may be closed afterwards. Its position is neither used nor moved. kInvalidArgument where
  // the file ends before the range does.
  static Result<RandomAccessFile> OpenRange(int descriptor, uint64_t offset, uint64_t length);

  RandomAccessFile(RandomAccessFile&& other) noexcept;
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept;
  ~RandomAccessFile();

  // As it was given; "descriptor N" for a range.
  const std::string& path() const { return path_; }

  // Bytes of the file when it was opened, or of the range.
  uint64_t size() const { return size_; }

  // Reads exactly `bytes` bytes at `offset`; fewer is an error that says where the file ends.
  Status ReadAt(uint64_t offset, void* data, size_t bytes) const;

 private:
  friend class MappedFile;
  RandomAccessFile(std::string path, int descriptor, uint64_t begin, uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), begin_(begin), size_(size) {}

  std::string path_;
  int descriptor_ = -1;
  uint64_t begin_ = 0;  // where a range begins in its file
  uint64_t size_ = 0;
};

// The bytes of a file, mapped read-only: the system reads a page when it is first touched, may drop
// it again, and holds it once for all processes that map the file.
//
// The file must not become shorter while it is mapped: touching a page that it no longer has ends
// the process (SIGBUS), and nothing here can turn that into an error. What is written into it shows
// in the mapping. So replace a file by renaming another over it, as FileWriter does: the mapping
// then keeps the old one.
class MappedFile {
 public:
  // Maps all of `file`, which may be closed afterwards. kUnsupported where this system has no
  // mappings (Windows, WebAssembly), kIo where this file cannot be mapped (no room for addresses, a
  // file system without mappings): read it then.
  static Result<MappedFile> Map(const RandomAccessFile& file);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return bytes_; }

 private:
  MappedFile() = default;

  void* map_ = nullptr;  // begins on a page
  size_t map_bytes_ = 0;
  std::span<const uint8_t> bytes_;  // of the file or range, inside the mapping
};

// Writes `path`.partial and gives it its name in Commit(). Destroyed before that, it removes what
// it wrote; an older file of that name stays untouched.
class FileWriter {
 public:
  static Result<FileWriter> Create(const std::string& path);

  // What the file `path` is called until it is whole.
  static std::string PartialPath(const std::string& path) { return path + ".partial"; }

  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;
  ~FileWriter();

  // Bytes appended so far.
  uint64_t size() const { return size_; }

  Status Append(const void* data, size_t bytes);

  // Replaces bytes that were appended before.
  Status Overwrite(uint64_t offset, const void* data, size_t bytes);

  // Flushes to the disk and renames. Nothing may be written afterwards.
  Status Commit();

 private:
  explicit FileWriter(const std::string& path) : path_(path), partial_(PartialPath(path)) {}
  Status WriteAt(uint64_t offset, const void* data, size_t bytes);
  void Discard();

  std::string path_;
  std::string partial_;  // made once: Discard takes no memory
  int descriptor_ = -1;  // -1 once committed or moved from
  uint64_t size_ = 0;
};

// The whole of a small file; an error where it has more than `max_bytes`.
Result<std::string> ReadTextFile(const std::string& path, uint64_t max_bytes);

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_FILE_H_
