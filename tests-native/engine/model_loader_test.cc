#include "engine/model_loader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "cpu/cpu_backend.h"
#include "demo_model.h"

namespace tinyvlm {
namespace {

const std::string& DemoBytes() {
  static const std::string bytes = [] {
    auto text = ReadTextFile(DemoModelPath(), 64 << 20);
    REQUIRE(text.ok());
    return std::move(text).value();
  }();
  return bytes;
}

// Feeds `bytes` in pieces of `piece`; the status of the first call that fails, or of End.
Status Feed(ModelLoader& loader, const std::string& bytes, size_t piece) {
  for (size_t offset = 0; offset < bytes.size();) {
    const size_t count = std::min(piece, bytes.size() - offset);
    TVLM_ASSIGN_OR_RETURN(uint8_t* const place, loader.Reserve(count));
    std::memcpy(place, bytes.data() + offset, count);
    TVLM_RETURN_IF_ERROR(loader.Commit(count));
    offset += count;
  }
  return loader.End();
}

// Data bytes whose tensors the processor's backend has packed.
uint64_t ReadyBytes(const Model& model) {
  return static_cast<const CpuBackend&>(model.backend()).store().ready_bytes();
}

TEST_CASE("ModelLoader takes the file in pieces of any size", "[engine][loader]") {
  const size_t piece = GENERATE(size_t{997}, size_t{65536}, size_t{1} << 20, size_t{64} << 20);
  ModelLoader loader(1);
  const Status status = Feed(loader, DemoBytes(), piece);
  INFO(status.message());
  REQUIRE(status.ok());
  CHECK(loader.state() == ModelLoader::State::kComplete);
  CHECK(loader.file_bytes() == DemoBytes().size());
  CHECK(ReadyBytes(*loader.model()) == loader.model()->file().data_bytes);
}

TEST_CASE("ModelLoader knows the model as soon as the header is whole", "[engine][loader]") {
  ModelLoader loader(1);
  size_t offset = 0;
  while (loader.state() == ModelLoader::State::kHeader) {
    const auto place = loader.Reserve(1000);
    REQUIRE(place.ok());
    std::memcpy(*place, DemoBytes().data() + offset, 1000);
    REQUIRE(loader.Commit(1000).ok());
    offset += 1000;
  }
  REQUIRE(loader.model() != nullptr);
  CHECK(offset < DemoBytes().size() / 10);
  CHECK(loader.model()->vision().image_size == 256);
  CHECK(ReadyBytes(*loader.model()) == 0);
}

TEST_CASE("ModelLoader says how much of a truncated file is there", "[engine][loader]") {
  const size_t size = GENERATE(size_t{0}, size_t{3}, size_t{4000}, size_t{1'500'000});
  ModelLoader loader(1);
  const Status status = Feed(loader, DemoBytes().substr(0, size), 65536);
  CHECK(status.code() == ErrorCode::kInvalidFile);
  CHECK_THAT(status.message(),
             Catch::Matchers::ContainsSubstring(size == 0 ? "empty" : "truncated"));
}

TEST_CASE("ModelLoader finds a changed byte, in the header and in the data", "[engine][loader]") {
  // Behind the tensor table's names there is padding up to the data section: even that byte is
  // covered.
  const double place = GENERATE(0.0001, 0.01, 0.3, 0.7, 0.9999);
  std::string bytes = DemoBytes();
  bytes[static_cast<size_t>(place * static_cast<double>(bytes.size()))] ^= 0x20;
  ModelLoader loader(1);
  const Status status = Feed(loader, bytes, 1 << 20);
  INFO(status.message());
  CHECK_FALSE(status.ok());
}

TEST_CASE("ModelLoader takes a whole verified header unhashed", "[engine][loader]") {
  std::string bytes = DemoBytes();
  const auto parse =
      ParseGgufHeader({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  REQUIRE((parse.ok() && parse->file.has_value()));
  const size_t header = static_cast<size_t>(parse->file->data_offset);
  // An altered hash: nothing but comparing it would notice.
  bytes[static_cast<size_t>(parse->file->header_hash_offset)] ^= 1;
  ModelLoader loader(1), comparing(1);
  const auto append = [&](ModelLoader& to, size_t offset, size_t count, bool verified) {
    const auto place = to.Reserve(count);
    REQUIRE(place.ok());
    std::memcpy(*place, bytes.data() + offset, count);
    return verified ? to.CommitVerified(count) : to.Commit(count);
  };
  CHECK(append(comparing, 0, header, false).code() == ErrorCode::kInvalidFile);
  // Not a part of it, not with bytes behind it, not the rest of it.
  CHECK(append(loader, 0, header - 1, true).code() == ErrorCode::kInvalidArgument);
  CHECK(append(loader, 0, header + 1, true).code() == ErrorCode::kInvalidArgument);
  REQUIRE(append(loader, 0, header, true).ok());
  CHECK(loader.state() == ModelLoader::State::kLoading);
  REQUIRE(append(loader, header, bytes.size() - header, true).ok());
  CHECK(loader.End().ok());
  ModelLoader begun(1);
  REQUIRE(append(begun, 0, 1000, false).ok());
  CHECK(append(begun, 1000, header - 1000, true).code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("ModelLoader takes whole verified chunks unhashed", "[engine][loader]") {
  ModelLoader loader(1);
  const std::string& bytes = DemoBytes();
  const auto parse =
      ParseGgufHeader({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  REQUIRE((parse.ok() && parse->file.has_value()));
  const size_t header = static_cast<size_t>(parse->file->data_offset),
               chunk = static_cast<size_t>(parse->file->chunk_size);
  const auto append = [&](size_t offset, size_t count, bool verified) {
    const auto place = loader.Reserve(count);
    REQUIRE(place.ok());
    std::memcpy(*place, bytes.data() + offset, count);
    return verified ? loader.CommitVerified(count) : loader.Commit(count);
  };
  REQUIRE(append(0, header, false).ok());
  // Not a part of a chunk.
  CHECK(append(header, chunk - 1, true).code() == ErrorCode::kInvalidArgument);
  // An altered chunk passes: it was not hashed.
  REQUIRE(append(header + 1, chunk, true).ok());
  // A part of the next chunk is verified here with the rest of it.
  REQUIRE(append(header + chunk, 1000, false).ok());
  CHECK(append(header + chunk + 1000, chunk - 1000, true).code() == ErrorCode::kInvalidArgument);
  REQUIRE(append(header + chunk + 1000, chunk - 1000, false).ok());
  const size_t done = header + 2 * chunk;
  REQUIRE(append(done, bytes.size() - done, true).ok());
  REQUIRE(loader.End().ok());
  CHECK(ReadyBytes(*loader.model()) == loader.model()->file().data_bytes);
}

TEST_CASE("ModelLoader finds what was written ahead of the committed bytes", "[engine][loader]") {
  ModelLoader loader(1);
  const std::string& bytes = DemoBytes();
  const auto parse =
      ParseGgufHeader({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  REQUIRE((parse.ok() && parse->file.has_value()));
  const size_t header = static_cast<size_t>(parse->file->data_offset),
               chunk = static_cast<size_t>(parse->file->chunk_size);
  auto place = loader.Reserve(header);
  REQUIRE(place.ok());
  std::memcpy(*place, bytes.data(), header);
  REQUIRE(loader.Commit(header).ok());
  // Three chunks are written, the last one first, and committed one by one.
  for (const size_t ahead : {2 * chunk, chunk, size_t{0}}) {
    place = loader.Reserve(ahead + chunk);
    REQUIRE(place.ok());
    std::memcpy(*place + ahead, bytes.data() + header + ahead, chunk);
  }
  for (int i = 0; i < 3; ++i) {
    REQUIRE(loader.Reserve(chunk).ok());
    REQUIRE(loader.Commit(chunk).ok());  // which computes the hash
  }
  CHECK(loader.received_bytes() == header + 3 * chunk);
}

TEST_CASE("ModelLoader refuses more bytes than the header describes", "[engine][loader]") {
  ModelLoader loader(1);
  const Status status = Feed(loader, DemoBytes() + "x", 1 << 20);
  CHECK(status.code() == ErrorCode::kInvalidFile);
  CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring("longer"));
}

TEST_CASE("ModelLoader names the kind of a file that is not a model", "[engine][loader]") {
  ModelLoader loader(1);
  const Status status = Feed(loader, "<!DOCTYPE html><html><body>Not found</body></html>", 1000);
  CHECK(status.code() == ErrorCode::kInvalidFile);
  CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring("HTML"));
  // After an error it stays failed.
  CHECK_FALSE(loader.Reserve(1).ok());
}

}  // namespace
}  // namespace tinyvlm
