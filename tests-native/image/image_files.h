// Reading image files and references in the tests of this folder.
#ifndef TINYVLM_TESTS_IMAGE_IMAGE_FILES_H_
#define TINYVLM_TESTS_IMAGE_IMAGE_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "catch_amalgamated.hpp"
#include "image/decode.h"

namespace tinyvlm {

inline std::vector<uint8_t> ReadBytes(const std::filesystem::path& path) {
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path.string());
  INFO(file.status().message());
  REQUIRE(file.ok());
  std::vector<uint8_t> bytes(static_cast<size_t>(file->size()));
  REQUIRE((bytes.empty() || file->ReadAt(0, bytes.data(), bytes.size()).ok()));
  return bytes;
}

inline Json ReadJson(const std::filesystem::path& path) {
  const std::vector<uint8_t> bytes = ReadBytes(path);
  Result<Json> json = ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  INFO(path.string() << ": " << json.status().message());
  REQUIRE(json.ok());
  return std::move(json).value();
}

// Decodes an image that must be good.
inline Image DecodeFile(const std::filesystem::path& path, bool exact) {
  Result<Image> image = DecodeImage(ReadBytes(path), exact);
  INFO(path.string() << ": " << image.status().message());
  REQUIRE(image.ok());
  return std::move(image).value();
}

inline std::vector<uint8_t> Pixels(const Image& image) {
  return {image.Row(0), image.Row(0) + image.width() * image.height() * 3};
}

inline std::string Sha256Hex(const std::vector<uint8_t>& bytes) {
  Sha256 hash;
  hash.Update(bytes.data(), bytes.size());
  std::string text;
  for (const uint8_t byte : hash.Finish()) text += Format("%02x", byte);
  return text;
}

// Files with that extension in a folder and the folders below it, in order of name.
inline std::vector<std::filesystem::path> FilesIn(const std::filesystem::path& folder,
                                                  const std::string& extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_IMAGE_IMAGE_FILES_H_
