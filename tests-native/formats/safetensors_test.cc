#include "formats/safetensors.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A safetensors file from a header and its data.
std::string File(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

std::span<const uint8_t> AsBytes(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// The error that these bytes give, the same from a file and from memory.
std::string Refused(const std::string& bytes, ErrorCode code = ErrorCode::kInvalidFile) {
  const TempFolder folder;
  const std::string path = folder.File("x.safetensors");
  WriteFile(path, bytes);
  const Result<Safetensors> file = Safetensors::Open(path);
  REQUIRE_FALSE(file.ok());
  CHECK(ErrorCodeName(file.status().code()) == std::string(ErrorCodeName(code)));
  CHECK_THAT(file.status().message(), Catch::Matchers::ContainsSubstring(path));
  const Result<Safetensors> in_memory = Safetensors::FromBytes(path, AsBytes(bytes));
  CHECK(in_memory.status().code() == code);
  CHECK(in_memory.status().message() == file.status().message());
  return file.status().message();
}

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

TEST_CASE("Written safetensors are read back, in ranges and by every type",
          "[formats][safetensors]") {
  const TempFolder folder;
  const std::string path = folder.File("x.safetensors");
  std::vector<float> floats(10000);
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i) * 0.5f;
  const std::vector<int64_t> ids{1, -200, INT64_MAX};
  const std::vector<uint16_t> bf16{0x3f80, 0xc000}, f16{0x3c00, 0xc000};
  const std::vector<int32_t> i32{-1, 7};
  const uint8_t byte = 9;
  const std::vector<SafetensorsOutput> outputs{
      {"u8", SafetensorsType::kU8, {1}, &byte},
      {"floats", SafetensorsType::kF32, {100, 100}, floats.data()},
      {"ids", SafetensorsType::kI64, {3}, ids.data()},
      {"bf16", SafetensorsType::kBF16, {2}, bf16.data()},
      {"f16", SafetensorsType::kF16, {2}, f16.data()},
      {"i32", SafetensorsType::kI32, {2}, i32.data()},
      {"none \"quoted\"", SafetensorsType::kF32, {0, 4}, nullptr},
      {"scalar", SafetensorsType::kF32, {}, floats.data() + 3}};
  REQUIRE(WriteSafetensors(path, outputs).ok());
  const Result<Safetensors> file = Safetensors::Open(path);
  INFO(file.status().message());
  REQUIRE(file.ok());
  CHECK(file->tensors().size() == outputs.size());

  const SafetensorsTensor* const tensor = file->Find("floats");
  REQUIRE(tensor != nullptr);
  CHECK(tensor->shape == Shape{100, 100});
  CHECK(tensor->offset % 4 == 0);
  std::vector<float> values(5000);
  REQUIRE(file->ReadF32(*tensor, 4999, 5000, values.data()).ok());
  CHECK(values.front() == floats[4999]);
  CHECK(values.back() == floats[9998]);
  CHECK(file->ReadF32(*tensor, 9999, 2, values.data()).code() == ErrorCode::kInternal);
  CHECK(file->ReadI64(*tensor, 0, 1, nullptr).message() ==
        "tensor floats: I64 or I32 wanted, F32 found");

  std::vector<int64_t> read_ids(3);
  REQUIRE(file->ReadI64(*file->Find("ids"), 0, 3, read_ids.data()).ok());
  CHECK(read_ids == ids);
  REQUIRE(file->ReadI64(*file->Find("i32"), 0, 2, read_ids.data()).ok());
  CHECK(read_ids[0] == -1);
  REQUIRE(file->ReadF32(*file->Find("bf16"), 0, 2, values.data()).ok());
  CHECK(values[1] == -2.0f);
  REQUIRE(file->ReadF32(*file->Find("f16"), 0, 2, values.data()).ok());
  CHECK(values[1] == -2.0f);
  REQUIRE(file->ReadF32(*file->Find("scalar"), 0, 1, values.data()).ok());
  CHECK(values[0] == 1.5f);
  CHECK(file->Find("none \"quoted\"")->elements == 0);
  CHECK(file->Find("absent") == nullptr);
  const auto with_prefix = [&](const char* prefix) {
    std::vector<std::string> names;
    for (const SafetensorsTensor& found : file->WithPrefix(prefix)) names.push_back(found.name);
    return names;
  };
  CHECK(with_prefix("i") == std::vector<std::string>{"i32", "ids"});
  CHECK(with_prefix("scalar") == std::vector<std::string>{"scalar"});
  CHECK(with_prefix("scalars").empty());
  CHECK(with_prefix("z").empty());
  CHECK(with_prefix("").size() == outputs.size());
}

TEST_CASE("Malformed safetensors are rejected with a specific error", "[formats][safetensors]") {
  const auto one = [](const char* body, size_t data = 8) {
    return File(std::string("{\"t\":{") + body + "}}", data);
  };
  CHECK_CONTAINS(Refused(""), "one of 0 bytes found");
  CHECK_CONTAINS(Refused(std::string(8, '\xff') + "{}"), "a length of 18446744073709551615 found");
  CHECK_CONTAINS(Refused("version https://git-lfs.github.com/spec/v1"), "Git LFS");
  CHECK_CONTAINS(Refused(File("[]", 0)), "'{' wanted at byte 0");
  CHECK_CONTAINS(Refused(File(" {}", 0)), "'{' wanted at byte 0");
  CHECK_CONTAINS(Refused(File("{\"t\":", 0)), "header cannot be read");
  CHECK_CONTAINS(Refused(one(R"("shape":[2],"data_offsets":[0,8])")),
                 "\"dtype\" as a string wanted");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F8_E4M3","shape":[2],"data_offsets":[0,8])"),
                         ErrorCode::kUnsupported),
                 "F8_E4M3");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","data_offsets":[0,8])")), "\"shape\"");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])")), "\"shape\"");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[2.5],"data_offsets":[0,8])")), "\"shape\"");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[2],"data_offsets":[0])")),
                 "\"data_offsets\"");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])")),
                 "ascending offsets");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[4],"data_offsets":[0,16])")), "truncated");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])")),
                 "shape [3] of F32 takes 12 bytes, its offsets span 8");
  CHECK_CONTAINS(
      Refused(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])")),
      "64 bits");
  CHECK_CONTAINS(
      Refused(one(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8])")),
      "64 bits");
  CHECK_CONTAINS(Refused(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 12)),
                 "8 bytes of tensors wanted after the header, 12 found");
  CHECK_CONTAINS(
      Refused(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])")),
      "tensor t at byte 4 of the data leaves a gap behind the header, which ends at byte 0");
  const char* const kTwo =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"%s":{"dtype":"F32","shape":[2],"data_offsets":[%d,%d]}})";
  CHECK_CONTAINS(Refused(File(Format(kTwo, "b", 4, 12), 12)),
                 "tensor b at byte 4 of the data overlaps a, which ends at byte 8");
  CHECK_CONTAINS(Refused(File(Format(kTwo, "a", 8, 16), 16)), "duplicate tensor a");
  CHECK_CONTAINS(Refused(File(Format(kTwo, "", 8, 16), 16)), "printable");
}

TEST_CASE("Safetensors in memory read as from a file, and never past their end",
          "[formats][safetensors]") {
  const std::string bytes = File(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4);
  const Result<Safetensors> file = Safetensors::FromBytes("weights", AsBytes(bytes));
  INFO(file.status().message());
  REQUIRE(file.ok());
  const SafetensorsTensor* const a = file->Find("a");
  REQUIRE(a != nullptr);
  uint8_t read[5] = {};
  REQUIRE(file->ReadBytes(*a, 1, read, 3).ok());
  CHECK(read[2] == 1);
  CHECK(file->ReadBytes(*a, 1, read, 4).code() == ErrorCode::kInternal);
  SafetensorsTensor beyond = *a;
  beyond.bytes = 5;
  CHECK(file->ReadBytes(beyond, 0, read, 5).code() == ErrorCode::kInvalidFile);
}

TEST_CASE("A safetensors file cut or changed anywhere never crashes the reader",
          "[formats][safetensors]") {
  const TempFolder folder;
  const std::string path = folder.File("x.safetensors");
  const std::vector<float> floats(8, 1.0f);
  REQUIRE(
      WriteSafetensors(
          path, std::vector<SafetensorsOutput>{{"a", SafetensorsType::kF32, {2, 3}, floats.data()},
                                               {"b", SafetensorsType::kF32, {2}, floats.data()}})
          .ok());
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  for (size_t length = 0; length < bytes.size(); ++length) {
    WriteFile(path, bytes.substr(0, length));
    REQUIRE_FALSE(Safetensors::Open(path).ok());
    REQUIRE_FALSE(Safetensors::FromBytes("x", AsBytes(bytes).first(length)).ok());
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string altered = bytes;
      altered[at] = static_cast<char>(altered[at] ^ flip);
      WriteFile(path, altered);
      REQUIRE(Safetensors::Open(path).ok() == Safetensors::FromBytes("x", AsBytes(altered)).ok());
    }
  }
}

// The tensors of a folder by the headers of its files, which are read as a download would be.
Result<Safetensors> ReadHeaders(const std::string& folder) {
  std::optional<SafetensorsIndex> index;
  std::vector<std::string> files{"model.safetensors"};
  if (!IsFile(folder + files[0])) {
    const std::string name = folder + "model.safetensors.index.json";
    TVLM_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(name, kMaxSafetensorsIndexBytes));
    TVLM_ASSIGN_OR_RETURN(index, ParseSafetensorsIndex(name, text));
    files = index->shards;
  }
  Safetensors weights;
  for (const std::string& file : files) {
    const std::string path = folder + file;
    TVLM_ASSIGN_OR_RETURN(const RandomAccessFile opened, RandomAccessFile::Open(path));
    TVLM_RETURN_IF_ERROR(CheckSafetensorsBytes(path, opened.size()));
    std::array<uint8_t, kSafetensorsPrefixBytes> prefix;
    TVLM_RETURN_IF_ERROR(opened.ReadAt(0, prefix.data(), prefix.size()));
    TVLM_ASSIGN_OR_RETURN(const uint64_t bytes,
                          SafetensorsHeaderBytes(path, opened.size(), prefix));
    std::string header(static_cast<size_t>(bytes), '\0');
    TVLM_RETURN_IF_ERROR(opened.ReadAt(prefix.size(), header.data(), header.size()));
    TVLM_RETURN_IF_ERROR(weights.AddHeader(path, opened.size(), header));
  }
  TVLM_RETURN_IF_ERROR(weights.Finish());
  if (index.has_value()) TVLM_RETURN_IF_ERROR(weights.CheckIndex(*index, folder));
  return weights;
}

TEST_CASE("Shards: the index's word is checked", "[formats][safetensors]") {
  const TempFolder folder;
  const std::string root = folder.File("");
  const auto index = [&](const std::string& map) {
    WriteFile(folder.File("model.safetensors.index.json"), "{\"weight_map\":" + map + "}");
  };
  const auto message = [&] { return ReadHeaders(root).status().message(); };

  WriteFile(folder.File("1.safetensors"),
            File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  WriteFile(folder.File("2.safetensors"),
            File(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
  index(R"({"a":"1.safetensors","b":"2.safetensors"})");
  const Result<Safetensors> both = ReadHeaders(root);
  INFO(both.status().message());
  REQUIRE(both.ok());
  CHECK((both->Find("a")->file == 0 && both->Find("b")->file == 1));
  float value = 0;
  CHECK(both->ReadF32(*both->Find("b"), 0, 1, &value).code() == ErrorCode::kInvalidFile);

  index(R"({"a":"1.safetensors","c":"2.safetensors"})");
  CHECK_CONTAINS(message(), "tensor c wanted in 2.safetensors, not found there");
  index(R"({"a":"1.safetensors","b":"1.safetensors"})");
  CHECK_CONTAINS(message(), "tensor b wanted in 1.safetensors, not found there");
  index(R"({"a":"../1.safetensors"})");
  CHECK_CONTAINS(message(), "not a file name");
  index(R"({"a":"/etc/passwd"})");
  CHECK_CONTAINS(message(), "not a file name");
  index(R"({"a":5})");
  CHECK_CONTAINS(message(), "not a file name");
  index(R"({"a":"1.safetensors","b":"2.safetensors","a":"2.safetensors"})");
  CHECK_CONTAINS(message(), "duplicate tensor a");
  index("{}");
  CHECK_CONTAINS(message(), "1..1000 shards wanted, 0 found");
  index("[]");
  CHECK_CONTAINS(message(), "weight_map");
  WriteFile(folder.File("model.safetensors.index.json"), "{");
  CHECK_CONTAINS(message(), "model.safetensors.index.json");
}

// Of the tensors, those in the reference's manifest: transformers and safetensors wrote the files.
TEST_CASE("Checkpoints of the reference are read, in one file and in shards",
          "[formats][safetensors][golden]") {
  const auto folder = GoldenPath(GENERATE("t0-hf", "t0-llava", "t0-train"));
  INFO(folder.string());
  const auto text = ReadTextFile((folder / "manifest.json").string(), 1 << 20);
  REQUIRE(text.ok());
  const auto manifest = ParseJson(*text);
  REQUIRE(manifest.ok());
  const Result<Safetensors> file = ReadHeaders(folder.string() + "/");
  REQUIRE(file.ok());
  CHECK(file->tensors().size() == *manifest->Find("tensors")->uint64());
}

TEST_CASE("Safetensors of other writers are read", "[formats][safetensors]") {
  for (const char* name :
       {"data/formats/candle/candle-examples/examples/csm/voices.safetensors",
        "data/formats/candle/candle-examples/examples/encodec/jfk-codes.safetensors",
        "demo-model/model.safetensors"}) {
    const auto path = SharedPath(name);
    const Result<Safetensors> file = Safetensors::Open(path.string());
    INFO(name << ": " << file.status().message());
    REQUIRE(file.ok());
    CHECK_FALSE(file->tensors().empty());
  }
}

}  // namespace
}  // namespace tinyvlm
