#include "formats/gguf_writer.h"

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

std::vector<uint8_t> ReadAll(const std::string& path) {
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path);
  REQUIRE(file.ok());
  std::vector<uint8_t> bytes(static_cast<size_t>(file->size()));
  REQUIRE(file->ReadAt(0, bytes.data(), bytes.size()).ok());
  return bytes;
}

std::vector<uint8_t> Pattern(size_t bytes, uint32_t seed) {
  std::vector<uint8_t> data(bytes);
  for (uint8_t& byte : data)
    byte = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return data;
}

// Three tensors: one of more than two chunks, one that ends inside an alignment, one that ends the
// file.
struct Sample {
  std::vector<uint8_t> big = Pattern(2500000, 1), odd = Pattern(34 * 3, 2), last = Pattern(20, 3);
  GgufWriter writer;

  Sample() {
    writer.AddString("general.architecture", "fastvlm");
    writer.AddU32("u32", 7);
    writer.AddI32("i32", -7);
    writer.AddF32("f32", 0.5f);
    writer.AddBool("bool", true);
    writer.AddI32Array("i32s", std::vector<int32_t>{1, -2});
    writer.AddF32Array("f32s", std::vector<float>{1.0f, -2.0f});
    writer.AddU8Array("u8s", std::vector<uint8_t>{1, 2, 3});
    writer.AddStringArray("strings", std::vector<std::string>{"a", "bc"});
    REQUIRE(writer.AddTensor("big", DType::kF16, {1250, 1000}).ok());
    REQUIRE(writer.AddTensor("odd", DType::kQ8_0, {3, 32}).ok());
    REQUIRE(writer.AddTensor("last", DType::kF32, {5}).ok());
  }
  // Appends all data in pieces of `piece` bytes.
  void Write(size_t piece) {
    for (const std::vector<uint8_t>* data : {&big, &odd, &last}) {
      for (size_t at = 0; at < data->size(); at += piece)
        REQUIRE(writer.Append(data->data() + at, std::min(piece, data->size() - at)).ok());
    }
  }
};

TEST_CASE("A written GGUF file is read back: values, places, data and hashes",
          "[formats][gguf_writer]") {
  const TempFolder folder;
  const std::string path = folder.File("model.gguf");
  Sample sample;
  REQUIRE(sample.writer.Begin(path).ok());
  sample.Write(100000);
  CHECK_FALSE(std::filesystem::exists(path));
  REQUIRE(sample.writer.Finish().ok());

  const std::vector<uint8_t> bytes = ReadAll(path);
  Result<GgufParse> parse = ParseGgufHeader(bytes);
  INFO(parse.status().message());
  REQUIRE(parse.ok());
  REQUIRE(parse->file.has_value());
  const GgufFile& file = *parse->file;
  CHECK(file.version == 3);
  CHECK(file.alignment == 64);
  CHECK(file.data_offset % 64 == 0);
  CHECK(file.data_offset + file.data_bytes == bytes.size());
  CHECK(file.data_bytes == sample.writer.data_bytes());
  CHECK(*file.metadata.GetString("general.architecture") == "fastvlm");
  CHECK(*file.metadata.GetU32("u32") == 7);
  CHECK(*file.metadata.GetI32("i32") == -7);
  CHECK(*file.metadata.GetF32("f32") == 0.5f);
  CHECK(*file.metadata.GetBool("bool"));
  CHECK(*file.metadata.GetI32Array("i32s") == std::vector<int32_t>{1, -2});
  CHECK(*file.metadata.GetF32Array("f32s") == std::vector<float>{1.0f, -2.0f});
  CHECK((*file.metadata.GetU8Array("u8s")).size() == 3);
  CHECK(*file.metadata.GetStringArray("strings") == std::vector<std::string_view>{"a", "bc"});
  const auto check = [&](const char* name, const std::vector<uint8_t>& data) {
    const TensorInfo* const info = file.Find(name);
    REQUIRE(info != nullptr);
    REQUIRE(info->bytes == data.size());
    CHECK(std::equal(data.begin(), data.end(),
                     bytes.begin() + static_cast<ptrdiff_t>(file.data_offset + info->offset)));
  };
  check("big", sample.big);
  check("odd", sample.odd);
  check("last", sample.last);

  REQUIRE(file.chunk_size == 1048576);
  REQUIRE(file.chunk_hashes.size() == 3 * 32);
  for (uint64_t chunk = 0; chunk < 3; ++chunk) {
    const uint64_t begin = chunk * file.chunk_size,
                   end = std::min(file.data_bytes, begin + file.chunk_size);
    Sha256 sha;
    sha.Update(bytes.data() + file.data_offset + begin, static_cast<size_t>(end - begin));
    CHECK(sha.Finish() == ChunkHash(file, chunk));
  }
  const auto header = std::span(bytes).first(static_cast<size_t>(file.data_offset));
  CHECK(VerifyHeaderHash(file, header).ok());
}

TEST_CASE("Any changed byte of a written header is refused or found by its hash",
          "[formats][gguf_writer]") {
  const TempFolder folder;
  const std::string path = folder.File("model.gguf");
  GgufWriter writer;
  writer.AddString("general.architecture", "fastvlm");
  writer.AddStringArray("strings", std::vector<std::string>{"a", "bc"});
  REQUIRE(writer.AddTensor("t", DType::kF32, {4, 8}).ok());
  REQUIRE(writer.Begin(path).ok());
  const std::vector<uint8_t> data(128);
  REQUIRE(writer.Append(data.data(), data.size()).ok());
  REQUIRE(writer.Finish().ok());
  const std::vector<uint8_t> bytes = ReadAll(path);
  const uint64_t header = ParseGgufHeader(bytes)->file->data_offset;
  for (size_t at = 0; at < header; ++at) {
    for (const uint8_t flip : {0x01, 0x20, 0x80}) {
      std::vector<uint8_t> altered = bytes;
      altered[at] = static_cast<uint8_t>(altered[at] ^ flip);
      const Result<GgufParse> parse = ParseGgufHeader(altered);
      INFO("byte " << at);
      if (!parse.ok()) continue;
      // Asking for more than the file has ends as "truncated".
      if (!parse->file.has_value()) {
        REQUIRE(parse->bytes_needed > altered.size());
        continue;
      }
      REQUIRE_FALSE(VerifyHeaderHash(*parse->file, std::span(altered).first(static_cast<size_t>(
                                                       parse->file->data_offset)))
                        .ok());
    }
  }
}

TEST_CASE("The file does not depend on how the data is cut", "[formats][gguf_writer]") {
  const TempFolder folder;
  std::vector<uint8_t> first;
  for (const size_t piece : {size_t{2500000}, size_t{1} << 20, size_t{77777}}) {
    Sample sample;
    const std::string path = folder.File("model.gguf");
    REQUIRE(sample.writer.Begin(path).ok());
    sample.Write(piece);
    REQUIRE(sample.writer.Finish().ok());
    if (first.empty()) first = ReadAll(path);
    CHECK(ReadAll(path) == first);
  }
}

TEST_CASE(
    "A GGUF writer that is not finished leaves no file, and too little or too much data is an "
    "error",
    "[formats][gguf_writer]") {
  const TempFolder folder;
  const std::string path = folder.File("model.gguf");
  {
    Sample sample;
    REQUIRE(sample.writer.Begin(path).ok());
    REQUIRE(sample.writer.Append(sample.big.data(), 1000).ok());
    CHECK(sample.writer.Finish().code() == ErrorCode::kInternal);
    CHECK(sample.writer.Append(sample.big.data(), sample.big.size()).code() ==
          ErrorCode::kInternal);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
  GgufWriter writer;
  CHECK(writer.AddTensor("t", DType::kQ8_0, {2, 33}).message() ==
        "tensor t: rows of 33 elements are not whole blocks of 32 (q8_0)");
}

}  // namespace
}  // namespace tinyvlm
