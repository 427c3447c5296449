#include "base/file.h"

#if !defined(__EMSCRIPTEN__)
#include <fcntl.h>
#include <unistd.h>
#endif

#include <filesystem>
#include <fstream>
#include <string>

#include "catch_amalgamated.hpp"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

TEST_CASE("A committed file holds what was appended and overwritten", "[base][file]") {
  const TempFolder folder;
  const std::string path = folder.File("out.bin");
  {
    Result<FileWriter> writer = FileWriter::Create(path);
    REQUIRE(writer.ok());
    REQUIRE(writer->Append("hello world", 11).ok());
    CHECK_FALSE(std::filesystem::exists(path));
    REQUIRE(writer->Overwrite(6, "W", 1).ok());
    CHECK_FALSE(writer->Overwrite(11, "x", 1).ok());
    CHECK(writer->size() == 11);
    REQUIRE(writer->Commit().ok());
  }
  CHECK(*ReadTextFile(path, 11) == "hello World");
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_CASE("A writer that is destroyed before Commit leaves no file and keeps the older one",
          "[base][file]") {
  const TempFolder folder;
  const std::string path = folder.File("out.bin");
  {
    FileWriter writer = std::move(FileWriter::Create(path)).value();
    REQUIRE(writer.Append("old", 3).ok());
    REQUIRE(writer.Commit().ok());
  }
  {
    FileWriter writer = std::move(FileWriter::Create(path)).value();
    REQUIRE(writer.Append("new", 3).ok());
    CHECK(std::filesystem::exists(path + ".partial"));
  }
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
  CHECK(*ReadTextFile(path, 100) == "old");
}

TEST_CASE("A moved writer still owns its file", "[base][file]") {
  const TempFolder folder;
  const std::string path = folder.File("out.bin");
  FileWriter writer = std::move(FileWriter::Create(path)).value();
  FileWriter moved = std::move(writer);
  REQUIRE(moved.Append("x", 1).ok());
  REQUIRE(moved.Commit().ok());
  CHECK(*ReadTextFile(path, 1) == "x");
}

TEST_CASE("Reads are exact, and beyond the end an error that names the file", "[base][file]") {
  const TempFolder folder;
  const std::string path = folder.File("in.bin");
  FileWriter writer = std::move(FileWriter::Create(path)).value();
  REQUIRE(writer.Append("0123456789", 10).ok());
  REQUIRE(writer.Commit().ok());
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path);
  REQUIRE(file.ok());
  CHECK(file->size() == 10);
  char bytes[4] = {};
  REQUIRE(file->ReadAt(3, bytes, 4).ok());
  CHECK(std::string(bytes, 4) == "3456");
  REQUIRE(file->ReadAt(10, bytes, 0).ok());
  for (const uint64_t offset : {uint64_t{7}, uint64_t{10}, uint64_t{11}, UINT64_MAX}) {
    const Status status = file->ReadAt(offset, bytes, 4);
    CHECK(status.code() == ErrorCode::kInvalidFile);
    CHECK(status.message().find(path) != std::string::npos);
  }
  CHECK(ReadTextFile(path, 9).status().code() == ErrorCode::kInvalidFile);
}

TEST_CASE("Paths that are no files are typed errors", "[base][file]") {
  const TempFolder folder;
  CHECK(RandomAccessFile::Open(folder.File("absent")).status().code() == ErrorCode::kNotFound);
  CHECK(RandomAccessFile::Open(folder.File(".")).status().code() == ErrorCode::kInvalidArgument);
  CHECK(FileWriter::Create(folder.File(".")).status().code() == ErrorCode::kInvalidArgument);
  CHECK(FileWriter::Create("").status().code() == ErrorCode::kInvalidArgument);
  CHECK(FileWriter::Create(folder.File("absent/out")).status().code() == ErrorCode::kNotFound);
  CHECK_FALSE(IsFile(folder.File(".")));
  CHECK(IsFolder(folder.File(".")));
  CHECK_FALSE(IsFolder(folder.File("absent")));
}

#if !defined(__EMSCRIPTEN__)
TEST_CASE("A range of a file reads and maps as a file of its own", "[base][file]") {
  const TempFolder folder;
  const std::string path = folder.File("in.bin");
  std::string content;
  for (int i = 0; i < 20'000; ++i) content += static_cast<char>(i * 7);
  std::ofstream(path, std::ios::binary) << content;
  for (const size_t offset : {size_t{0}, size_t{1}, size_t{4096}, size_t{9999}}) {
    const int descriptor = open(path.c_str(), O_RDONLY);
    REQUIRE(descriptor >= 0);
    const auto range = RandomAccessFile::OpenRange(descriptor, offset, 9000);
    close(descriptor);
    REQUIRE(range.ok());
    CHECK(range->size() == 9000);
    std::string read(100, '\0');
    REQUIRE(range->ReadAt(8900, read.data(), read.size()).ok());
    CHECK(read == content.substr(offset + 8900, 100));
    CHECK_FALSE(range->ReadAt(8901, read.data(), read.size()).ok());
    const auto mapped = MappedFile::Map(*range);
    REQUIRE(mapped.ok());
    CHECK(std::string(mapped->bytes().begin(), mapped->bytes().end()) ==
          content.substr(offset, 9000));
  }
}
#endif

}  // namespace
}  // namespace tinyvlm
