// Packed model files (tinyvlm.packing = "panel16"): the same bits as files in file order, however
// they are loaded.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "convert/convert.h"
#include "convert/repack.h"
#include "convert/tiny_checkpoint.h"
#include "cpu/cpu_backend.h"
#include "demo_model.h"
#include "engine/model_file.h"
#include "engine/model_loader.h"
#include "engine/session.h"
#include "engine/trace.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "image/decode.h"
#include "temp_folder.h"

#if !defined(__EMSCRIPTEN__)
#include <fcntl.h>
#include <unistd.h>
#endif

namespace tinyvlm {
namespace {

#if defined(__EMSCRIPTEN__)
constexpr bool kMaps = false;
#else
constexpr bool kMaps = true;
#endif

// Rows in no whole number of panels: stem and squeeze-excite have 8 and 4, the embedding gets 50.
TinyCheckpoint OddCheckpoint() {
  TinyCheckpoint checkpoint;
  checkpoint.Add("model.language_model.embed_tokens.weight", {50, 32});
  checkpoint.Edit("\"vocab_size\": 48", "\"vocab_size\": 50");
  return checkpoint;
}

void MustConvert(const TempFolder& folder, const std::string& name, DType type, Packing packing) {
  ConvertOptions options;
  options.checkpoint = folder.File(".");
  options.output = folder.File(name);
  options.type = type;
  options.tokenizer = false;
  options.packing = packing;
  const Status status = Convert(options, {});
  INFO(status.message());
  REQUIRE(status.ok());
}

std::string Bytes(const std::string& path) {
  auto text = ReadTextFile(path, 64 << 20);
  REQUIRE(text.ok());
  return std::move(text).value();
}

std::shared_ptr<Model> MustLoad(const std::string& path) {
  const auto model = LoadModel(path, LoadOptions{});
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

// The weights of a model as the processor's backend holds them.
const WeightStore& Store(const Model& model) {
  return static_cast<const CpuBackend&>(model.backend()).store();
}

Status LoadStatus(const std::string& path, const LoadOptions& options = {}) {
  return LoadModel(path, options).status();
}

// Gives the file's bytes to a ModelLoader in pieces.
Result<std::shared_ptr<Model>> Stream(const std::string& bytes, size_t piece) {
  ModelLoader loader(1);
  for (size_t offset = 0; offset < bytes.size(); offset += piece) {
    const size_t count = std::min(piece, bytes.size() - offset);
    TVLM_ASSIGN_OR_RETURN(uint8_t* const place, loader.Reserve(count));
    std::memcpy(place, bytes.data() + offset, count);
    TVLM_RETURN_IF_ERROR(loader.Commit(count));
  }
  TVLM_RETURN_IF_ERROR(loader.End());
  return loader.model();
}

// Every stage of an image with text, and the logits of the prompt and of three more tokens.
std::map<std::string, std::vector<float>> Outputs(Model& model, Compute compute) {
  TraceCase input;
  input.pixels_shape = {1, 3, 64, 64};
  for (int i = 0; i < 3 * 64 * 64; ++i)
    input.pixels.push_back(std::sin(0.37f * static_cast<float>(i)));
  input.prompt = {5, -200, 7, 1, 49};
  const auto run = TraceRun::Start(model, input, 3, compute);
  INFO(run.status().message());
  REQUIRE(run.ok());
  std::map<std::string, std::vector<float>> outputs;
  for (const auto& [name, tap] : (*run)->taps()) outputs[name] = tap.values;
  const size_t vocabulary = model.decoder().vocabulary;
  for (const int64_t id : {4, 48, 30}) {
    const float* const logits = (*run)->logits();
    std::vector<float>& all = outputs["logits of every step"];
    all.insert(all.end(), logits, logits + vocabulary);
    REQUIRE((*run)->Step(id).ok());
  }
  return outputs;
}

void CheckEqualBits(const std::map<std::string, std::vector<float>>& found,
                    const std::map<std::string, std::vector<float>>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (const auto& [name, values] : wanted) {
    INFO(name);
    const auto at = found.find(name);
    REQUIRE(at != found.end());
    REQUIRE(at->second.size() == values.size());
    CHECK(std::memcmp(at->second.data(), values.data(), values.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("A packed file gives the same bits as one in file order, for every type",
          "[engine][packing]") {
  const DType type =
      GENERATE(DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0);
  INFO(GetDTypeInfo(type).name);
  const TempFolder folder;
  OddCheckpoint().Write(folder);
  MustConvert(folder, "plain.gguf", type, Packing::kNone);
  MustConvert(folder, "packed.gguf", type, Packing::kPanel16);
  MustConvert(folder, "again.gguf", type, Packing::kPanel16);
  const std::string packed_bytes = Bytes(folder.File("packed.gguf"));
  CHECK(packed_bytes == Bytes(folder.File("again.gguf")));

  // Packing the converted file is converting packed.
  const Status repacked =
      Repack(folder.File("plain.gguf"), folder.File("repacked.gguf"), ConvertProgress{});
  INFO(repacked.message());
  REQUIRE(repacked.ok());
  CHECK(packed_bytes == Bytes(folder.File("repacked.gguf")));

  const auto plain = MustLoad(folder.File("plain.gguf")),
             packed = MustLoad(folder.File("packed.gguf"));
  CHECK(Store(*plain).packing() == Packing::kNone);
  CHECK(Store(*plain).owned_bytes() == Store(*plain).file().data_bytes);
  CHECK(Store(*packed).packing() == Packing::kPanel16);
  CHECK((Store(*packed).owned_bytes() == 0) == kMaps);
  CHECK(Store(*packed).widened_bytes() == 0);
  const auto streamed = Stream(packed_bytes, 1000);
  INFO(streamed.status().message());
  REQUIRE(streamed.ok());
  for (const Compute compute : {Compute::kFast, Compute::kF32}) {
    const auto wanted = Outputs(*plain, compute);
    CheckEqualBits(Outputs(*packed, compute), wanted);
    CheckEqualBits(Outputs(**streamed, compute), wanted);
  }
}

// The repository's demo model, packed.
const std::string& PackedDemo(const TempFolder& folder) {
  static std::string path;
  path = folder.File("demo packed.gguf");
  const Status status = Repack(DemoModelPath(), path, ConvertProgress{});
  INFO(status.message());
  REQUIRE(status.ok());
  return path;
}

std::vector<int32_t> Answer(const std::shared_ptr<Model>& model, const std::string& sample) {
  SessionOptions options;
  options.context = 512;
  const auto session = Session::Create(model, options);
  REQUIRE(session.ok());
  const std::string bytes = Bytes(SamplePath(sample));
  const auto image =
      DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, false);
  REQUIRE(image.ok());
  const auto id = (*session)->AddImage(image->view(), false);
  REQUIRE(id.ok());
  AskOptions ask;
  ask.messages = {{Message::Role::kUser, "Describe the image in detail.", {*id}}};
  REQUIRE((*session)->Ask(ask).ok());
  for (;;) {
    const auto state = (*session)->Advance(1000);
    REQUIRE(state.ok());
    if (*state == RunState::kDone) break;
  }
  REQUIRE_FALSE((*session)->answer_ids().empty());
  return (*session)->answer_ids();
}

TEST_CASE("The packed demo model answers the same, mapped, streamed and from memory",
          "[engine][packing]") {
  const TempFolder folder;
  const std::string& path = PackedDemo(folder);
  const std::string bytes = Bytes(path);
  const auto wanted = Answer(MustLoad(DemoModelPath()), "sample-3.png");
  CHECK(Answer(MustLoad(path), "sample-3.png") == wanted);
  const auto streamed = Stream(bytes, 99'991);
  REQUIRE(streamed.ok());
  CHECK(Answer(*streamed, "sample-3.png") == wanted);

  // Aligned to 64 and to 4 the bytes are used where they lie, elsewhere they are copied.
  auto memory = AlignedBuffer<uint8_t>::Allocate(bytes.size() + 64, "test");
  REQUIRE(memory.ok());
  for (const size_t offset : {size_t{0}, size_t{4}, size_t{1}}) {
    std::memcpy(memory->data() + offset, bytes.data(), bytes.size());
    const auto model = LoadModelFromMemory({memory->data() + offset, bytes.size()}, LoadOptions{});
    INFO(model.status().message());
    REQUIRE(model.ok());
    CHECK((Store(**model).owned_bytes() == 0) == (offset % 4 == 0));
    CHECK(Answer(*model, "sample-3.png") == wanted);
  }
  // A file in file order is always copied: its bytes are not needed afterwards.
  std::string plain = Bytes(DemoModelPath());
  const auto model = LoadModelFromMemory(
      {reinterpret_cast<const uint8_t*>(plain.data()), plain.size()}, LoadOptions{});
  REQUIRE(model.ok());
  std::fill(plain.begin(), plain.end(), '\0');
  CHECK(Answer(*model, "sample-3.png") == wanted);
}

TEST_CASE("Borrowed memory is kept by its owner", "[engine][packing]") {
  const TempFolder folder;
  const std::string bytes = Bytes(PackedDemo(folder));
  auto memory = AlignedBuffer<uint8_t>::Allocate(bytes.size(), "test");
  REQUIRE(memory.ok());
  std::memcpy(memory->data(), bytes.data(), bytes.size());
  auto owner = std::make_shared<const AlignedBuffer<uint8_t>>(std::move(*memory));
  auto model = LoadModelFromMemory({owner->data(), owner->size()}, LoadOptions{}, owner);
  REQUIRE(model.ok());
  const std::weak_ptr<const void> watched = owner;
  owner.reset();
  CHECK_FALSE(watched.expired());
  model->reset();
  CHECK(watched.expired());
}

#if !defined(__EMSCRIPTEN__)
TEST_CASE("A model inside another file is loaded through a descriptor, at any offset",
          "[engine][packing]") {
  const TempFolder folder;
  const std::string bytes = Bytes(PackedDemo(folder));
  const auto wanted = Answer(MustLoad(DemoModelPath()), "sample-1.png");
  const std::string archive = folder.File("archive");
  for (const size_t offset : {size_t{0}, size_t{4096}, size_t{12'348}, size_t{12'345}}) {
    INFO(offset);
    std::ofstream(archive, std::ios::binary)
        << std::string(offset, 'x') << bytes << "what follows in the archive";
    const int descriptor = open(archive.c_str(), O_RDONLY);
    REQUIRE(descriptor >= 0);
    const auto model = LoadModelFromDescriptor(descriptor, offset, bytes.size(), LoadOptions{});
    CHECK(lseek(descriptor, 0, SEEK_CUR) == 0);
    // A range that is too long is an error, not a fault.
    CHECK(LoadModelFromDescriptor(descriptor, offset, bytes.size() + 100, LoadOptions{})
              .status()
              .code() == ErrorCode::kInvalidArgument);
    close(descriptor);
    INFO(model.status().message());
    REQUIRE(model.ok());
    CHECK((Store(**model).owned_bytes() == 0) == (offset % 4 == 0));
    CHECK(Answer(*model, "sample-1.png") == wanted);
  }
  CHECK(LoadModelFromDescriptor(-1, 0, 10, LoadOptions{}).status().code() == ErrorCode::kIo);
}
#endif

TEST_CASE("Damage in a mapped file is found where it is asked for, and where bytes are read",
          "[engine][packing]") {
  const TempFolder folder;
  const std::string path = PackedDemo(folder);
  std::string bytes = Bytes(path);
  LoadOptions verify;
  verify.verify = true;
  CHECK(LoadStatus(path, verify).ok());
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  const Status damaged = LoadStatus(path, verify);
  CHECK(damaged.code() == ErrorCode::kInvalidFile);
  CHECK_THAT(damaged.message(), Catch::Matchers::StartsWith(path + ": the model file is damaged"));
  CHECK(LoadStatus(path).ok() == kMaps);
  CHECK(Stream(bytes, 1 << 20).status().code() == ErrorCode::kInvalidFile);
  // The header is always checked.
  bytes[bytes.size() / 2] ^= 1;
  bytes[200] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  CHECK_FALSE(LoadStatus(path).ok());
}

TEST_CASE("A packed file that is truncated or too long is an error", "[engine][packing]") {
  const TempFolder folder;
  const std::string path = PackedDemo(folder);
  const std::string bytes = Bytes(path);
  for (const size_t size : {size_t{0}, size_t{1000}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    const Status status = LoadStatus(path);
    CHECK(status.code() == ErrorCode::kInvalidFile);
    CHECK_THAT(status.message(),
               Catch::Matchers::ContainsSubstring(size == 0 ? "empty" : "truncated"));
  }
  std::ofstream(path, std::ios::binary) << bytes << "x";
  CHECK_THAT(LoadStatus(path).message(), Catch::Matchers::ContainsSubstring("longer"));
}

// Writes `input` anew, its bytes as they are, but with this packing.
void Relabel(const std::string& input, const std::string& output, const char* packing) {
  const auto file = RandomAccessFile::Open(input);
  REQUIRE(file.ok());
  const auto header = ReadGgufHeader(*file);
  REQUIRE(header.ok());
  GgufWriter writer;
  for (const Metadata::Entry& entry : header->metadata.entries()) {
    const bool ours = entry.key.starts_with("tinyvlm.chunk") || entry.key == kPackingKey ||
                      entry.key == "tinyvlm.header_sha256" || entry.key == "general.alignment";
    if (!ours) writer.AddEntry(entry);
  }
  writer.AddString(kPackingKey, packing);
  for (const TensorInfo& tensor : header->tensors)
    REQUIRE(writer.AddTensor(tensor.name, tensor.type, tensor.shape).ok());
  REQUIRE(writer.Begin(output).ok());
  for (const TensorInfo& tensor : header->tensors) {
    std::vector<uint8_t> bytes(static_cast<size_t>(tensor.bytes));
    REQUIRE(file->ReadAt(header->data_offset + tensor.offset, bytes.data(), bytes.size()).ok());
    REQUIRE(writer.Append(bytes.data(), bytes.size()).ok());
  }
  REQUIRE(writer.Finish().ok());
}

TEST_CASE("Other packings, and files that only claim to be packed, are errors by name",
          "[engine][packing]") {
  const TempFolder folder;
  const std::string path = folder.File("relabelled.gguf");
  Relabel(DemoModelPath(), path, "panel32");
  const Status unknown = LoadStatus(path);
  CHECK(unknown.code() == ErrorCode::kUnsupported);
  CHECK_THAT(unknown.message(),
             Catch::Matchers::ContainsSubstring(
                 "tinyvlm.packing: \"none\" or \"panel16\" wanted, \"panel32\" found"));
  CHECK(Stream(Bytes(path), 1 << 20).status().code() == ErrorCode::kUnsupported);

  Relabel(DemoModelPath(), path, "panel16");  // its kernels are F16
  const Status claimed = LoadStatus(path);
  CHECK(claimed.code() == ErrorCode::kInvalidFile);
  CHECK_THAT(claimed.message(),
             Catch::Matchers::ContainsSubstring("f32 wanted in a panel16 file, f16 found"));

  Relabel(DemoModelPath(), path, "none");
  CHECK(LoadStatus(path).ok());
}

TEST_CASE("A packed file cannot be packed again", "[engine][packing]") {
  const TempFolder folder;
  const Status status = Repack(PackedDemo(folder), folder.File("twice.gguf"), ConvertProgress{});
  CHECK(status.code() == ErrorCode::kUnsupported);
  CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring("\"panel16\" found"));
}

TEST_CASE("Loading tells how far it is, and ends with the error that progress returns",
          "[engine][packing]") {
  const TempFolder folder;
  for (const std::string& path : {DemoModelPath(), std::string(PackedDemo(folder))}) {
    const uint64_t size = RandomAccessFile::Open(path)->size();
    uint64_t last = 0;
    LoadOptions options;
    options.progress = [&](uint64_t done, uint64_t total) {
      CHECK(done > last);
      CHECK(total == size);
      last = done;
      return Status();
    };
    CHECK(LoadStatus(path, options).ok());
    CHECK(last == size);
    last = 0;
    options.verify = true;
    CHECK(LoadStatus(path, options).ok());
    CHECK(last == size);
    options.progress = [](uint64_t, uint64_t) {
      return Error(ErrorCode::kNotReady, "the user went home");
    };
    const Status stopped = LoadStatus(path, options);
    CHECK(stopped.code() == ErrorCode::kNotReady);
    CHECK_THAT(stopped.message(), Catch::Matchers::ContainsSubstring("the user went home"));
  }
}

#if defined(__linux__)
// Sums of /proc/self/smaps over the mappings of `path`, in kB, by name.
std::map<std::string, long> Smaps(const std::string& path) {
  std::map<std::string, long> sums;
  std::ifstream smaps("/proc/self/smaps");
  bool ours = false;
  for (std::string line; std::getline(smaps, line);) {
    char key[64];
    long value = 0;
    if (std::sscanf(line.c_str(), "%63[A-Za-z_]: %ld kB", key, &value) == 2) {
      if (ours) sums[key] += value;
    } else if (line.find('-') < 20) {
      ours = line.ends_with(path);
    }
  }
  return sums;
}

TEST_CASE("The weights of a packed model are a mapping without a dirty page, also after an answer",
          "[engine][packing]") {
  const TempFolder folder;
  const std::string path = PackedDemo(folder);
  const auto model = MustLoad(path);
  Answer(model, "sample-1.png");
  auto sums = Smaps(path);
  INFO("Rss " << sums["Rss"] << " kB, Private_Dirty " << sums["Private_Dirty"] << " kB");
  const long weights = static_cast<long>(Store(*model).file().data_bytes / 1024);
  CHECK(sums["Size"] >= weights);
  CHECK(sums["Rss"] > weights / 2);  // an answer touches most of them
  CHECK(sums["Private_Dirty"] == 0);
  CHECK(sums["Shared_Dirty"] == 0);
}
#endif

}  // namespace
}  // namespace tinyvlm
