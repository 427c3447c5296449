// Files: random reads with 64-bit offsets, and writing that leaves either a whole file or none.
#ifndef TINYVLM_BASE_FILE_H_
#define TINYVLM_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// True where `path` is a regular file (or a link to one).
bool IsFile(const std::string& path);

// True where `path` is a folder (or a link to one).
bool IsFolder(const std::string& path);

// Names of what is in the folder `path`, sorted, without "." and "..".
Result<std::vector<std::string>> ListFolder(const std::string& path);

// A regular file open for reading. Reads from several threads do not disturb each other.
class RandomAccessFile {
 public:
  static Result<RandomAccessFile> Open(const std::string& path);

  RandomAccessFile(RandomAccessFile&& other) noexcept;
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept;
  ~RandomAccessFile();

  const std::string& path() const { return path_; }

  // Bytes when it was opened.
  uint64_t size() const { return size_; }

  // Reads exactly `bytes` bytes at `offset`; fewer is an error that says where the file ends.
  Status ReadAt(uint64_t offset, void* data, size_t bytes) const;

 private:
  RandomAccessFile(std::string path, int descriptor, uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
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
  FileWriter(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  Status WriteAt(uint64_t offset, const void* data, size_t bytes);
  void Discard();

  std::string path_;
  int descriptor_ = -1;  // -1 once committed or moved from
  uint64_t size_ = 0;
};

// The whole of a small file; an error where it has more than `max_bytes`.
Result<std::string> ReadTextFile(const std::string& path, uint64_t max_bytes);

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_FILE_H_
