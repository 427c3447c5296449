#include "base/file.h"

#include <filesystem>
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

}  // namespace
}  // namespace tinyvlm
