#include "formats/gguf.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "gguf_bytes.h"
#include "shared_data.h"
#include "tensor/quant.h"

namespace tinyvlm {
namespace {

// A copy of exactly the bytes given, so that a sanitizer sees any read beyond them.
Result<GgufParse> ParseExactly(std::span<const uint8_t> bytes) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return ParseGgufHeader({copy.get(), bytes.size()});
}

GgufFile Parse(const GgufBytes& gguf) {
  Result<GgufParse> parse = ParseExactly(gguf.bytes);
  INFO(parse.status().message());
  REQUIRE(parse.ok());
  REQUIRE(parse->file.has_value());
  return std::move(*parse->file);
}

// The message of the error that these bytes give.
std::string Refused(const GgufBytes& gguf, ErrorCode code = ErrorCode::kInvalidFile) {
  const Result<GgufParse> parse = ParseExactly(gguf.bytes);
  REQUIRE_FALSE(parse.ok());
  CHECK(ErrorCodeName(parse.status().code()) == std::string(ErrorCodeName(code)));
  return parse.status().message();
}

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

GgufBytes Sample() {
  GgufBytes gguf(2, 9);
  gguf.Key("a.u32", GgufType::kU32).U32(4000000000u);
  gguf.Key("a.bool", GgufType::kBool).U8(1);
  gguf.Key("a.string", GgufType::kString).String("text");
  gguf.Key("a.f32", GgufType::kF32).F32(1.5f);
  gguf.Key("a.f64", GgufType::kF64).F64(2.5);
  gguf.Key("a.u64", GgufType::kU64).U64(uint64_t{1} << 40);
  gguf.Array("a.strings", GgufType::kString, 3).String("x").String("").String("zz");
  gguf.Array("a.i32s", GgufType::kI32, 2).U32(5).U32(0xffffffff);
  gguf.Array("a.bytes", GgufType::kU8, 3).Text("abc");
  // Not in the order of their data.
  gguf.Tensor("second", {32, 2}, 8, 64);
  gguf.Tensor("first", {3, 5}, 0, 0);
  return gguf.Pad();
}

TEST_CASE("A GGUF header gives its values and its tensors in the file's order", "[formats][gguf]") {
  GgufFile file = Parse(Sample());
  const GgufFile moved = std::move(file);  // views stay valid
  const Metadata& meta = moved.metadata;
  CHECK(*meta.GetU32("a.u32") == 4000000000u);
  CHECK(*meta.GetBool("a.bool"));
  CHECK(*meta.GetString("a.string") == "text");
  CHECK(*meta.GetF32("a.f32") == 1.5f);
  CHECK(*meta.GetF32("a.f64") == 2.5f);
  CHECK(*meta.GetStringArray("a.strings") == std::vector<std::string_view>{"x", "", "zz"});
  CHECK(*meta.GetI32Array("a.i32s") == std::vector<int32_t>{5, -1});
  CHECK((*meta.GetU8Array("a.bytes")).size() == 3);
  CHECK(meta.entries().size() == 9);
  REQUIRE(moved.tensors.size() == 2);
  CHECK(moved.tensors[0].name == "first");
  CHECK(moved.tensors[0].shape == Shape{5, 3});
  CHECK(moved.tensors[1].shape == Shape{2, 32});
  CHECK(moved.tensors[1].bytes == 68);
  CHECK(moved.Find("second") == &moved.tensors[1]);
  CHECK(moved.Find("third") == nullptr);
  CHECK(moved.data_offset == Sample().bytes.size());
  CHECK(moved.tensor_bytes == 132);
  CHECK(moved.data_bytes == 160);
  CHECK(moved.chunk_size == 0);
  CHECK(VerifyHeaderHash(moved, Sample().bytes).ok());
}

TEST_CASE("Metadata errors name the key, what was wanted and what was found", "[formats][gguf]") {
  const GgufFile file = Parse(Sample());
  const Metadata& meta = file.metadata;
  CHECK(meta.GetU32("b").status().code() == ErrorCode::kNotFound);
  CHECK(meta.GetU32("b").status().message() == "b is missing from the model file");
  CHECK(meta.GetU32("a.string").status().message() == "a.string: an integer wanted, string found");
  CHECK(meta.GetU32("a.i32s").status().message() ==
        "a.i32s: an integer wanted, an array of i32 found");
  CHECK(meta.GetI32("a.u32").status().message() ==
        "a.u32: a number from -2147483648 to 2147483647 wanted, 4000000000 found");
  CHECK(meta.GetU32("a.u64").status().message() ==
        "a.u64: a number from 0 to 4294967295 wanted, 1099511627776 found");
  CHECK_FALSE(meta.GetString("a.strings").ok());
  CHECK_FALSE(meta.GetU8Array("a.i32s").ok());
  CHECK_FALSE(meta.GetF32Array("a.i32s").ok());
  CHECK_FALSE(meta.GetF32("a.u32").ok());
  CHECK_FALSE(meta.GetBool("a.u32").ok());
}

TEST_CASE(
    "Every prefix of a GGUF header asks for more, never too much, and reads nothing beyond it",
    "[formats][gguf]") {
  const std::vector<uint8_t> bytes = Sample().bytes;
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Result<GgufParse> parse = ParseExactly(std::span(bytes).first(length));
    INFO("prefix of " << length << ": " << parse.status().message());
    REQUIRE(parse.ok());
    REQUIRE_FALSE(parse->file.has_value());
    REQUIRE(parse->bytes_needed > length);
    REQUIRE(parse->bytes_needed <= bytes.size());
  }
  // Bytes behind the header do not matter.
  std::vector<uint8_t> longer = bytes;
  longer.resize(bytes.size() + 1000, 0xff);
  CHECK(ParseGgufHeader(longer)->file->data_offset == bytes.size());
}

TEST_CASE("A GGUF header with any byte changed never crashes the parser", "[formats][gguf]") {
  const std::vector<uint8_t> bytes = Sample().bytes;
  std::mt19937 random(1);
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff, static_cast<int>(random() & 0xff)}) {
      std::vector<uint8_t> altered = bytes;
      altered[at] = static_cast<uint8_t>(altered[at] ^ flip);
      const Result<GgufParse> parse = ParseExactly(altered);
      if (!parse.ok()) {
        REQUIRE_FALSE(parse.status().message().empty());
        ++refused;
      } else if (parse->file.has_value()) {
        for (const Metadata::Entry& entry : parse->file->metadata.entries()) {
          static_cast<void>(parse->file->metadata.GetStringArray(entry.key));
          static_cast<void>(parse->file->metadata.GetI32Array(entry.key));
          static_cast<void>(parse->file->metadata.GetF32(entry.key));
          static_cast<void>(parse->file->metadata.GetI32(entry.key));
        }
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("Hostile GGUF counts and lengths are refused without allocating for them",
          "[formats][gguf]") {
  CHECK_CONTAINS(Refused(GgufBytes(UINT64_MAX, 1)), "at most 100000 tensors and keys wanted");
  CHECK_CONTAINS(Refused(GgufBytes(1, uint64_t{1} << 60)),
                 "at most 100000 tensors and keys wanted");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).U64(UINT64_MAX)), "the GGUF header would take at least");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).U64(uint64_t{1} << 40)),
                 "the GGUF header would take at least");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Array("k", GgufType::kU64, UINT64_MAX / 4)),
                 "the GGUF header would take at least");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Array("k", GgufType::kString, UINT64_MAX)),
                 "the GGUF header would take at least");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Array("k", GgufType::kString, 2).U64(UINT64_MAX - 20)),
                 "the GGUF header would take at least");
}

TEST_CASE("Malformed GGUF headers are rejected with a specific error", "[formats][gguf]") {
  CHECK_CONTAINS(
      Refused(GgufBytes(0, 2).Key("k", GgufType::kU8).U8(0).Key("k", GgufType::kU8).U8(0)),
      "duplicate key k");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("", GgufType::kU8).U8(0)),
                 "a key of 1..4096 printable characters wanted");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("a\n", GgufType::kU8).U8(0)), "printable");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).String("k").U32(13).U64(0)), "k has the value type 13");
  CHECK_CONTAINS(
      Refused(GgufBytes(0, 1).Array("k", GgufType::kArray, 1).U64(0), ErrorCode::kUnsupported),
      "k is an array of arrays");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("k", GgufType::kBool).U8(2)), "neither 0 nor 1");
  CHECK_CONTAINS(Refused(GgufBytes(0, 0)), "empty");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("general.alignment", GgufType::kU32).U32(48)),
                 "general.alignment: a power of two");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("general.alignment", GgufType::kU32).U32(0)),
                 "general.alignment: a power of two");
  CHECK_CONTAINS(Refused(GgufBytes(0, 1).Key("general.alignment", GgufType::kU64).U64(32)),
                 "general.alignment: a u32 wanted");

  const auto one = [](std::vector<uint64_t> ne, uint32_t type, uint64_t offset) {
    return GgufBytes(1, 0).Tensor("t", std::move(ne), type, offset).Pad();
  };
  CHECK_CONTAINS(Refused(one({2, 2, 2, 2, 2}, 0, 0)),
                 "tensor t: at most 4 dimensions wanted, 5 found");
  CHECK_CONTAINS(Refused(one({2, 0}, 0, 0)), "tensor t: a dimension of 0");
  CHECK_CONTAINS(Refused(one({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0)), "tensor t: shape");
  CHECK_CONTAINS(Refused(one({uint64_t{1} << 62, 2}, 0, 0)), "tensor t: shape");
  CHECK_CONTAINS(Refused(one({33}, 8, 0)),
                 "tensor t: rows of 33 elements are not whole blocks of 32 (q8_0)");
  CHECK_CONTAINS(Refused(one({256}, 10, 0), ErrorCode::kUnsupported),
                 "tensor t: type q2_k (ggml number 10)");
  CHECK_CONTAINS(Refused(one({256}, 77, 0), ErrorCode::kUnsupported),
                 "tensor t: type unknown (ggml number 77)");
  for (const auto& [number, name] : {std::pair<uint32_t, const char*>{23, "iq4_xs"},
                                     {20, "iq4_nl"},
                                     {34, "tq1_0"},
                                     {39, "mxfp4"},
                                     {16, "iq2_xxs"},
                                     {31, "q4_0_4_4"},
                                     {11, "q3_k"}}) {
    CHECK_CONTAINS(Refused(one({256}, number, 0), ErrorCode::kUnsupported),
                   Format("tensor t: type %s (ggml number %u) is not one that this engine reads",
                          name, number));
  }
  CHECK_CONTAINS(Refused(one({8}, 0, 8)), "not a multiple of the alignment 32");
  CHECK_CONTAINS(Refused(one({8}, 0, 32)), "nothing describes the bytes before it");
  CHECK_CONTAINS(Refused(one({8}, 0, uint64_t{1} << 63)), "nothing describes the bytes before it");

  const auto two = [](const char* second, uint64_t offset, uint64_t n = 8) {
    return GgufBytes(2, 0).Tensor("t", {16}, 0, 0).Tensor(second, {n}, 0, offset).Pad();
  };
  CHECK_CONTAINS(Refused(two("t", 64)), "duplicate tensor t");
  CHECK_CONTAINS(Refused(two("u", 32)), "tensor u at 32 overlaps tensor t");
  CHECK_CONTAINS(Refused(two("u", 64, (uint64_t{1} << 62) - 1)),
                 "tensor u: 18446744073709551612 bytes at 64 end beyond");
}

TEST_CASE("Files of other kinds are named", "[formats][gguf]") {
  const auto refused = [](std::string_view start) {
    std::vector<uint8_t> bytes(start.begin(), start.end());
    bytes.resize(std::max<size_t>(bytes.size(), 64), ' ');
    const Result<GgufParse> parse = ParseExactly(bytes);
    REQUIRE_FALSE(parse.ok());
    return parse.status().message();
  };
  CHECK_CONTAINS(refused("<!DOCTYPE html><html>"), "an HTML or XML page");
  CHECK_CONTAINS(refused("\r\n  <html>"), "an HTML or XML page");
  CHECK_CONTAINS(refused(std::string_view("\x08\x01\0\0\0\0\0\0{\"a\":", 13)),
                 "a safetensors file");
  CHECK_CONTAINS(refused("PK\x03\x04"), "a zip archive");
  CHECK_CONTAINS(refused("{\"error\": \"not found\"}"), "JSON text");
  CHECK_CONTAINS(refused("version https://git-lfs.github.com/spec/v1"), "a Git LFS pointer");
  CHECK_CONTAINS(refused("\x89PNG\r\n"), "an image");
  CHECK_CONTAINS(refused("abcd"), "begins with 61 62 63 64");
  CHECK_CONTAINS(Refused(GgufBytes(1, 1, 1), ErrorCode::kUnsupported), "version 1 found");
  CHECK_CONTAINS(Refused(GgufBytes(1, 1, 0x03000000), ErrorCode::kUnsupported),
                 "big-endian one (version 3)");
}

TEST_CASE("A file's hash keys stand together or not at all", "[formats][gguf]") {
  const auto with = [](bool size, size_t chunks, size_t header, uint32_t chunk_size = 1024) {
    GgufBytes gguf(1, (size ? 1u : 0u) + (chunks != 0) + (header != 0));
    if (size) gguf.Key("tinyvlm.chunk_size", GgufType::kU32).U32(chunk_size);
    if (chunks != 0)
      gguf.Array("tinyvlm.chunk_sha256", GgufType::kU8, chunks).Text(std::string(chunks, 'c'));
    if (header != 0)
      gguf.Array("tinyvlm.header_sha256", GgufType::kU8, header).Text(std::string(header, 'h'));
    return gguf.Tensor("t", {300}, 0, 0).Pad();  // 1200 bytes: 2 chunks of 1024
  };
  const GgufFile file = Parse(with(true, 64, 32));
  CHECK(file.chunk_size == 1024);
  CHECK(ChunkHash(file, 1)[31] == 'c');
  CHECK_CONTAINS(VerifyHeaderHash(file, with(true, 64, 32).bytes).message(), "damaged");
  CHECK_CONTAINS(Refused(with(true, 64, 0), ErrorCode::kNotFound),
                 "tinyvlm.header_sha256 is missing");
  CHECK_CONTAINS(Refused(with(false, 64, 32), ErrorCode::kNotFound),
                 "tinyvlm.chunk_size is missing");
  CHECK_CONTAINS(Refused(with(true, 0, 32), ErrorCode::kNotFound),
                 "tinyvlm.chunk_sha256 is missing");
  CHECK_CONTAINS(Refused(with(true, 96, 32)),
                 "32 bytes for each of 2 chunks wanted, 96 bytes found");
  CHECK_CONTAINS(Refused(with(true, 63, 32)), "63 bytes found");
  CHECK_CONTAINS(Refused(with(true, 64, 31)), "tinyvlm.header_sha256: 32 bytes wanted, 31 found");
  CHECK_CONTAINS(Refused(with(true, 64, 32, 0)), "tinyvlm.chunk_size: at least 1 wanted");
}

std::string Hex(const Sha256::Digest& digest) {
  std::string hex;
  for (const uint8_t byte : digest) hex += Format("%02x", byte);
  return hex;
}

std::vector<uint8_t> ReadAll(const std::string& path) {
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path);
  REQUIRE(file.ok());
  std::vector<uint8_t> bytes(static_cast<size_t>(file->size()));
  REQUIRE(file->ReadAt(0, bytes.data(), bytes.size()).ok());
  return bytes;
}

TEST_CASE(
    "GGUF files of another writer: keys, tensors, offsets and values as its manifest lists them",
    "[formats][gguf]") {
  const auto folder = GoldenPath("gguf");
  const Result<Json> manifest =
      ParseJson(*ReadTextFile((folder / "manifest.json").string(), 1 << 20));
  REQUIRE(manifest.ok());
  // Version 2 differs in its number only.
  for (const auto& [name, list] : {std::pair{"qwen2-f32.gguf", "qwen2-f32.gguf"},
                                   {"qwen2-mixed.gguf", "qwen2-mixed.gguf"},
                                   {"qwen2-v2.gguf", "qwen2-mixed.gguf"}}) {
    DYNAMIC_SECTION(name) {
      const std::vector<uint8_t> bytes = ReadAll((folder / name).string());
      const Result<GgufParse> parse = ParseExactly(bytes);
      REQUIRE(parse.ok());
      REQUIRE(parse->file.has_value());
      const GgufFile& file = *parse->file;
      CHECK(file.data_offset + file.data_bytes == bytes.size());
      const Json& wanted = *manifest->Find("files")->Find(list);
      for (const auto& [key, value] : *wanted.Find("kv")->object()) {
        INFO(key);
        if (key.starts_with("GGUF.")) continue;
        if (value.string() != nullptr) {
          CHECK(*file.metadata.GetString(key) == *value.string());
        } else if (value.boolean().has_value()) {
          CHECK(*file.metadata.GetBool(key) == *value.boolean());
        } else if (value.int64().has_value()) {
          CHECK(*file.metadata.GetI32(key) == *value.int64());
        } else if (value.number().has_value()) {
          CHECK(*file.metadata.GetF32(key) == static_cast<float>(*value.number()));
        } else {
          CHECK(static_cast<int64_t>(file.metadata.Find(key)->count) ==
                *value.GetInt("length", 0, INT64_MAX));
          if (*value.GetString("array_of") == "STRING") {
            const Json::Array& last = *value.Find("last")->array();
            CHECK(std::string((*file.metadata.GetStringArray(key)).back()) ==
                  *last.back().string());
          } else {
            CHECK((*file.metadata.GetI32Array(key)).size() == file.metadata.Find(key)->count);
          }
        }
      }
      const Json::Array& tensors = *wanted.Find("tensors")->array();
      REQUIRE(file.tensors.size() == tensors.size());
      for (size_t i = 0; i < tensors.size(); ++i) {
        const TensorInfo& info = file.tensors[i];
        CHECK(info.name == *tensors[i].GetString("name"));
        CHECK(static_cast<int64_t>(info.bytes) == *tensors[i].GetInt("bytes", 0, INT64_MAX));
        CHECK(static_cast<int64_t>(info.offset + file.data_offset) ==
              *tensors[i].GetInt("offset", 0, INT64_MAX));
        std::vector<float> values(static_cast<size_t>(*ElementCount(info.shape)));
        DequantizeRow(info.type, bytes.data() + file.data_offset + info.offset, values.size(),
                      values.data());
        Sha256 sha;
        sha.Update(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float));
        CHECK(Hex(sha.Finish()) == *tensors[i].GetString("sha256_f32"));
      }
    }
  }
  SECTION("big-endian") {
    const Result<GgufParse> parse =
        ParseExactly(ReadAll((folder / "qwen2-big-endian.gguf").string()));
    CHECK(parse.status().code() == ErrorCode::kUnsupported);
    CHECK_CONTAINS(parse.status().message(), "big-endian");
  }
}

TEST_CASE("GGUF files that hold a vocabulary only are read", "[formats][gguf]") {
  for (const char* name : {"ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf"}) {
    const auto path = SharedPath(std::string("data/tokenizer/llama.cpp-vocab/") + name);
    const std::vector<uint8_t> bytes = ReadAll(path.string());
    const Result<GgufParse> parse = ParseExactly(bytes);
    INFO(parse.status().message());
    REQUIRE(parse.ok());
    REQUIRE(parse->file.has_value());
    CHECK(parse->file->tensors.empty());
    CHECK((*parse->file->metadata.GetStringArray("tokenizer.ggml.tokens")).size() >= 32000);
  }
}

}  // namespace
}  // namespace tinyvlm
