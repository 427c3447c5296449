// Conversion step by step, from files in memory: the bytes of the result, what is asked for, going
// on after an interruption, errors.
#include "convert/conversion.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "catch_amalgamated.hpp"
#include "convert/convert.h"
#include "converted_hashes.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
#include "shared_data.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

using Files = std::map<std::string, std::string>;

Files ReadFolder(const std::filesystem::path& folder) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(stream),
                                               std::istreambuf_iterator<char>()};
  }
  return files;
}

Files FilesOf(const CheckpointFiles& checkpoint) {
  const TempFolder folder;
  checkpoint.Write(folder);
  return ReadFolder(folder.File(""));
}

std::string Hex(const Sha256::Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) text += Format("%02x", byte);
  return text;
}

std::string HashOf(const std::vector<uint8_t>& bytes) {
  Sha256 sha;
  sha.Update(bytes.data(), bytes.size());
  return Hex(sha.Finish());
}

// A conversion of files in memory that counts what it asks for.
struct Run {
  Status status;
  std::vector<uint8_t> model;   // 0xee where nothing was stored
  std::vector<uint8_t> hashes;  // of the chunks, 32 bytes each
  uint64_t header_bytes = 0;
  std::vector<uint64_t> stored;  // offsets of what was stored, in order
  // Reads, and for every byte of a file how often it was read.
  struct Read {
    std::string file;
    uint64_t offset = 0;
    size_t bytes = 0, runs = 0;
  };
  std::vector<Read> reads;
  std::map<std::string, std::vector<uint8_t>> times;
  size_t peak = 0;  // of buffer_bytes
  int restarts = 0;
  std::vector<std::string> warnings;

  // Bytes read of the files whose names end so.
  uint64_t BytesRead(const std::string& ending) const {
    uint64_t sum = 0;
    for (const Read& read : reads)
      if (read.file.ends_with(ending)) sum += uint64_t{read.bytes} * read.runs;
    return sum;
  }
};

// What an interrupted conversion stored.
struct Stored {
  std::vector<uint8_t> hashes;
  uint64_t header_bytes = 0;
};

Run ConvertInMemory(const Files& files, const ConversionOptions& options,
                    uint64_t request_bytes = uint64_t{4} << 20, const Stored& stored = {}) {
  Run run;
  ConversionInput input;
  for (const auto& [name, text] : files) input.files.push_back({name, text.size()});
  input.request_bytes = request_bytes;
  input.stored_hashes = stored.hashes;
  input.stored_header_bytes = stored.header_bytes;
  const auto conversion = Conversion::Create(options, std::move(input));
  if (!conversion.ok()) {
    run.status = conversion.status();
    return run;
  }
  for (;;) {
    const Result<ConversionTask> task = (*conversion)->Next();
    run.peak = std::max(run.peak, (*conversion)->buffer_bytes());
    if (!run.stored.empty() || run.restarts > 0) CHECK(run.warnings == (*conversion)->warnings());
    run.warnings = (*conversion)->warnings();
    if (!task.ok()) {
      run.status = task.status();
      CHECK((*conversion)->Next().status().message() == run.status.message());
      return run;
    }
    if (task->kind == ConversionTask::Kind::kDone) return run;
    if (task->kind == ConversionTask::Kind::kRestart) {
      run.model.clear();
      run.hashes.clear();
      run.stored.clear();
      ++run.restarts;
      continue;
    }
    if (task->kind == ConversionTask::Kind::kWrite) {
      run.header_bytes = (*conversion)->header_bytes();
      const size_t end = static_cast<size_t>(task->offset) + task->bytes;
      if (run.model.size() < end) run.model.resize(end, 0xee);
      std::copy_n(task->data, task->bytes,
                  run.model.begin() + static_cast<ptrdiff_t>(task->offset));
      run.stored.push_back(task->offset);
      if (task->offset == 0) continue;
      CHECK(HashOf({task->data, task->data + task->bytes}) == Hex(task->sha256));
      run.hashes.insert(run.hashes.end(), task->sha256.begin(), task->sha256.end());
      continue;
    }
    const std::string name(task->file);
    const std::string& text = files.at(name);
    std::vector<uint8_t>& times = run.times[name];
    times.resize(text.size());
    run.reads.push_back({name, task->offset, task->bytes, task->runs});
    for (size_t r = 0; r < task->runs; ++r) {
      const uint64_t begin = task->offset + r * task->stride;
      REQUIRE(begin + task->bytes <= text.size());
      std::copy_n(text.begin() + static_cast<ptrdiff_t>(begin), task->bytes,
                  task->destination + r * task->bytes);
      for (uint64_t at = begin; at < begin + task->bytes; ++at) ++times[at];
    }
    // A read that was not supplied yet is the same again.
    const Result<ConversionTask> again = (*conversion)->Next();
    REQUIRE(again.ok());
    REQUIRE((again->file == name && again->offset == task->offset &&
             again->destination == task->destination));
    REQUIRE((*conversion)->Supply(uint64_t{task->bytes} * task->runs).ok());
  }
}

ConversionOptions Options(const std::string& name, const std::string& type,
                          const std::string& packing = "none") {
  ConversionOptions options;
  options.name = name;
  options.type = *ParseConvertType(type);
  options.packing = *ParsePacking(packing);
  options.tokenizer = name == "demo-model";
  return options;
}

std::filesystem::path CheckpointPath(const std::string& name) {
  return name == "demo-model" ? SharedPath(name) : GoldenPath(name);
}

void CheckHashes(const std::string& name) {
  const std::filesystem::path folder = CheckpointPath(name);
  const Files files = ReadFolder(folder);
  const TempFolder temp;
  size_t compared = 0;
  for (const ConvertedHash& row : kConvertedHashes) {
    if (row.checkpoint != name) continue;
    INFO(name << " " << row.type << " " << row.packing);
    const ConversionOptions options = Options(name, row.type, row.packing);
    const Run run = ConvertInMemory(files, options);
    INFO(run.status.message());
    REQUIRE(run.status.ok());
    CHECK(HashOf(run.model) == row.sha256);
    ConvertOptions to_file;
    static_cast<ConversionOptions&>(to_file) = options;
    to_file.checkpoint = folder.string();
    to_file.output = temp.File("model.gguf");
    REQUIRE(Convert(to_file, {}).ok());
    CHECK(LoadModelFile(to_file.output).bytes == run.model);
    ++compared;
  }
  CHECK(compared == 12);
}

TEST_CASE("What is converted step by step is the model file of before, byte for byte",
          "[convert][conversion][golden]") {
  CheckHashes(GENERATE("t0-hf", "t0-llava", "t0-train"));
}
TEST_CASE("Larger checkpoints converted step by step are the model files of before",
          "[convert][conversion][golden]") {
  CheckHashes(GENERATE("t2w-bf16", "t3-full-depth"));
}
TEST_CASE("The demo model converted step by step is the model file of before",
          "[convert][conversion][shared]") {
  CheckHashes("demo-model");
}

TEST_CASE("The result does not depend on the size of requests", "[convert][conversion][golden]") {
  const std::string name = GENERATE("t0-hf", "t0-llava", "t0-train");
  const Files files = ReadFolder(GoldenPath(name));
  for (const char* packing : {"none", "panel16"}) {
    const ConversionOptions options = Options(name, "q4_0", packing);
    const Run whole = ConvertInMemory(files, options);
    REQUIRE(whole.status.ok());
    for (const uint64_t request_bytes : {0, 1, 5000, 300'000}) {
      const Run run = ConvertInMemory(files, options, request_bytes);
      REQUIRE(run.status.ok());
      CHECK(run.model == whole.model);
      CHECK(run.reads.size() > whole.reads.size());
    }
  }
}

// Every byte of the files in use but those of tensors that no model file has; of other safetensors
// files the headers.
TEST_CASE("Every byte is read once where nothing is equalised", "[convert][conversion][golden]") {
  const std::string name = GENERATE("t0-hf", "t0-llava", "t0-train");
  const Files files = ReadFolder(GoldenPath(name));
  for (const uint64_t request_bytes : {uint64_t{1}, uint64_t{4} << 20}) {
    const Run run = ConvertInMemory(files, Options(name, "f16"), request_bytes);
    REQUIRE(run.status.ok());
    std::set<std::string> used;
    ptrdiff_t twice = 0;
    for (const auto& [file, times] : run.times) {
      INFO(file);
      used.insert(file);
      REQUIRE(std::all_of(times.begin(), times.end(), [](uint8_t n) { return n <= 2; }));
      twice += std::count(times.begin(), times.end(), 2);
      if (!file.ends_with(".safetensors")) {
        CHECK(std::count(times.begin(), times.end(), 1) == static_cast<ptrdiff_t>(times.size()));
        continue;
      }
      const std::string& text = files.at(file);
      const Result<Safetensors> weights = Safetensors::FromBytes(
          file, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      REQUIRE(weights.ok());
      uint64_t unused = 0;
      for (const SafetensorsTensor& tensor : weights->tensors())
        if (tensor.name.ends_with("num_batches_tracked") || !file.starts_with("model") ||
            tensor.name.find(".head.") != std::string::npos)
          unused += tensor.bytes;
      CHECK(static_cast<uint64_t>(std::count(times.begin(), times.end(), 0)) == unused);
    }
    size_t headers = 0;
    for (const auto& [file, text] : files) {
      const bool has_header = file.ends_with(".safetensors");
      INFO(file);
      CHECK(used.contains(file) ==
            (has_header || file == "config.json" || file == "model.safetensors.index.json"));
      if (has_header) ++headers;
    }
    // Apple's checkpoint has a head of f32, compared with the embedding in three places first.
    CHECK(twice == (name == "t0-llava" ? 2 * 3 * 16384 * 4 : 0));
    // In 4 MB requests: configs and index; length and header of each file; weights of each shard.
    const size_t shards = name == "t0-llava" ? 2 : 1, small = shards == 2 ? 2 : 1;
    if (request_bytes > 1)
      CHECK(run.reads.size() <= small + headers * 2 + 2 * shards + (shards == 2 ? 6 : 0));
  }
}

// 1024 hidden units, so that the equaliser samples some rows of a matrix.
struct WideCheckpoint : TinyCheckpoint {
  WideCheckpoint() {
    Edit(R"("intermediate_size": 64)", R"("intermediate_size": 1024)");
    const std::string mlp = "model.language_model.layers.0.mlp.";
    Add(mlp + "gate_proj.weight", {1024, 32});
    Add(mlp + "up_proj.weight", {1024, 32});
    Add(mlp + "down_proj.weight", {32, 1024});
    type = SafetensorsType::kBF16;
  }
};

TEST_CASE("The equaliser reads a sample of the rows of matrices that are read again",
          "[convert][conversion]") {
  const Files files = FilesOf(WideCheckpoint());
  const Run plain = ConvertInMemory(files, Options("wide", "f16"), 1),
            equalised = ConvertInMemory(files, Options("wide", "q8_0"), 1);
  REQUIRE(plain.status.ok());
  REQUIRE(equalised.status.ok());
  // q [32, 32], k and v [16, 32], down [32, 1024] have so few rows that all are read; of gate and
  // up, [1024, 32], every fourth.
  const uint64_t sampled = 2 * (32 * 32 + 2 * 16 * 32 + 2 * 256 * 32 + 32 * 1024);
  CHECK(equalised.BytesRead(".safetensors") - plain.BytesRead(".safetensors") == sampled);
  // With room for them, rows of one matrix are asked for together; whole matrices only once.
  const Run roomy = ConvertInMemory(files, Options("wide", "q8_0"));
  CHECK(roomy.model == equalised.model);
  std::vector<size_t> runs;
  for (const Run::Read& read : roomy.reads)
    if (read.runs > 1) {
      CHECK(read.bytes == 32 * 2);
      runs.push_back(read.runs);
    }
  CHECK(runs == std::vector<size_t>{256, 256});
  CHECK(roomy.BytesRead(".safetensors") - plain.BytesRead(".safetensors") == 2 * 2 * 256 * 32);
}

TEST_CASE("Quantising reads at most the equaliser's sample twice",
          "[convert][conversion][golden]") {
  const std::string name = GENERATE("t0-hf", "t0-llava", "t0-train");
  const Files files = ReadFolder(GoldenPath(name));
  const Run once = ConvertInMemory(files, Options(name, "f16"), 1),
            twice = ConvertInMemory(files, Options(name, "q4_0"), 1);
  for (const auto& [file, times] : twice.times)
    REQUIRE(std::all_of(times.begin(), times.end(), [](uint8_t n) { return n <= 2; }));
  // The matrices of these decoders have fewer than 512 rows: all of q, k, v, gate, up and down.
  uint64_t measured = 0;
  for (const auto& [file, text] : files) {
    if (!once.times.contains(file) || !file.ends_with(".safetensors")) continue;
    const Result<Safetensors> weights =
        Safetensors::FromBytes(file, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    for (const SafetensorsTensor& tensor : weights->tensors()) {
      for (const char* part : {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj"})
        if (tensor.name.ends_with(std::string(part) + ".weight")) measured += tensor.bytes;
    }
  }
  CHECK(measured > 0);
  CHECK(twice.BytesRead("") == once.BytesRead("") + measured);
}

TEST_CASE("A conversion keeps a request, two buffers and a chunk in memory",
          "[convert][conversion][shared]") {
  const Files files = ReadFolder(SharedPath("demo-model"));
  for (const char* type : {"f32", "q4_0"}) {
    for (const uint64_t request_bytes : {uint64_t{1} << 20, uint64_t{4} << 20}) {
      const Run run = ConvertInMemory(files, Options("demo-model", type), request_bytes);
      REQUIRE(run.status.ok());
      // Values and converted values: 2^18 floats each; a chunk: 1 MB. Buffers are cut at 64 bytes.
      CHECK(run.peak <= request_bytes + 2 * (sizeof(float) << 18) + kGgufChunkBytes + 64);
      CHECK(files.at("model.safetensors").size() > 2 * run.peak);
      for (const Run::Read& read : run.reads) CHECK(read.bytes * read.runs <= request_bytes);
      for (size_t i = 1; i < run.stored.size(); ++i) {
        const bool is_header = i + 1 == run.stored.size();
        CHECK(run.stored[i] == (is_header ? 0 : run.stored[i - 1] + kGgufChunkBytes));
      }
    }
  }
}

// Goes on behind every chunk and compares with the whole file.
void CheckResuming(const Files& files, const ConversionOptions& options) {
  const Run whole = ConvertInMemory(files, options);
  REQUIRE(whole.status.ok());
  const size_t chunks = whole.hashes.size() / 32;
  REQUIRE(chunks + 1 == whole.stored.size());
  uint64_t least = std::numeric_limits<uint64_t>::max();
  for (size_t done = 1; done <= chunks; ++done) {
    INFO("behind chunk " << done << " of " << chunks);
    const Stored stored{
        {whole.hashes.begin(), whole.hashes.begin() + static_cast<ptrdiff_t>(done * 32)},
        whole.header_bytes};
    const Run run = ConvertInMemory(files, options, uint64_t{1} << 20, stored);
    INFO(run.status.message());
    REQUIRE(run.status.ok());
    REQUIRE(run.stored.size() == chunks - done + 1);
    CHECK(std::equal(run.stored.begin(), run.stored.end(),
                     whole.stored.begin() + static_cast<ptrdiff_t>(done)));
    REQUIRE(run.model.size() == (done == chunks ? whole.header_bytes : whole.model.size()));
    const auto header = static_cast<ptrdiff_t>(whole.header_bytes);
    CHECK(std::equal(run.model.begin(), run.model.begin() + header, whole.model.begin()));
    const auto rest = header + static_cast<ptrdiff_t>(done * kGgufChunkBytes);
    if (done < chunks)
      CHECK(std::equal(run.model.begin() + rest, run.model.end(), whole.model.begin() + rest));
    // What is stored is not read again.
    CHECK(run.BytesRead("") < least);
    least = run.BytesRead("");
  }
  // Of a whole file only configs, headers and tokenizer; and, where the header's size does not tell
  // whether a small head is stored, head and embedding.
  uint64_t needed = whole.BytesRead("") - whole.BytesRead(".safetensors");
  for (const Run::Read& read : whole.reads)
    if (read.file.ends_with(".safetensors") && read.offset <= 8) needed += read.bytes;
  const bool tells = least == needed;
  CHECK((tells || (files.contains("model.safetensors.index.json") &&
                   least == needed + 2 * 1024 * 64 * sizeof(float))));
}

TEST_CASE("A conversion goes on behind any chunk that is stored", "[convert][conversion][golden]") {
  const std::string name = GENERATE("t0-hf", "t0-llava", "t0-train");
  const Files files = ReadFolder(GoldenPath(name));
  for (const char* type : {"f32", "q4_0"})
    for (const char* packing : {"none", "panel16"})
      CheckResuming(files, Options(name, type, packing));
}
TEST_CASE("A conversion of the demo model goes on behind any chunk that is stored",
          "[convert][conversion][shared]") {
  const Files files = ReadFolder(SharedPath("demo-model"));
  CheckResuming(files, Options("demo-model", "f32"));
  CheckResuming(files, Options("demo-model", "q8_0"));
  CheckResuming(files, Options("demo-model", "q4_0", "panel16"));
}

// A checkpoint whose embedding, [4096, 32], is too large to be compared with a head at once.
struct HeadCheckpoint : TinyCheckpoint {
  HeadCheckpoint() {
    Edit(R"("vocab_size": 48)", R"("vocab_size": 4096)");
    Add("model.language_model.embed_tokens.weight", {4096, 32});
    tensors["lm_head.weight"] = tensors.at("model.language_model.embed_tokens.weight");
  }
};

TEST_CASE("A head is compared with the embedding while that is converted, and stored if it differs",
          "[convert][conversion]") {
  HeadCheckpoint tied;
  tied.tensors.erase("lm_head.weight");
  const uint64_t request_bytes = GENERATE(uint64_t{1}, uint64_t{1} << 17, uint64_t{4} << 20);
  const auto convert = [&](const CheckpointFiles& files, const Stored& stored = {}) {
    const Run run = ConvertInMemory(FilesOf(files), Options("x", "f32"), request_bytes, stored);
    INFO(run.status.message());
    REQUIRE(run.status.ok());
    return run;
  };
  const auto weights = [](const CheckpointFiles& files) {
    const std::string text = FilesOf(files).at("model.safetensors");
    const Result<Safetensors> parsed =
        Safetensors::FromBytes("x", {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    uint64_t unused = 0;
    for (const SafetensorsTensor& tensor : parsed->tensors())
      if (tensor.name.ends_with("num_batches_tracked")) unused += tensor.bytes;
    return text.size() - unused;
  };
  const Run wanted = convert(tied);
  constexpr uint64_t kPlace = 2 * 16384 * sizeof(float);  // of both
  const Run equal = convert(HeadCheckpoint());
  CHECK(equal.model == wanted.model);
  CHECK(equal.restarts == 0);
  CHECK(equal.BytesRead(".safetensors") == weights(HeadCheckpoint()) + 3 * kPlace);

  HeadCheckpoint differs;
  constexpr uint64_t kElements = 4096 * 32, kCompared = 16384;
  const uint64_t starts[] = {0, kElements / 2, kElements - kCompared}, behind[] = {5, 7, 16383};
  for (size_t place = 0; place < 3; ++place) {
    differs = HeadCheckpoint();
    differs.tensors["lm_head.weight"].values[static_cast<size_t>(starts[place] + behind[place])] +=
        1;
    const Run run = convert(differs);
    CHECK(run.restarts == 0);
    // In pieces of a request, the last one being that of the value.
    const uint64_t piece = std::max<uint64_t>(1, request_bytes / (2 * sizeof(float))),
                   compared = std::min(kCompared, (behind[place] / piece + 1) * piece);
    CHECK(run.BytesRead(".safetensors") ==
          weights(differs) + place * kPlace + compared * 2 * sizeof(float));
  }
  // Only a place that was not compared first.
  differs = HeadCheckpoint();
  differs.tensors["lm_head.weight"].values[20000] += 1;
  const Run late = convert(differs);
  CHECK(late.restarts == 1);
  const TempFolder folder;
  REQUIRE(ConvertFiles(differs, folder).ok());
  const LoadedModel model = LoadModelFile(folder.File("model.gguf"));
  CHECK(model.Values("output.weight") == differs.tensors["lm_head.weight"].values);
  CHECK(model.Values("token_embd.weight") ==
        differs.tensors["model.language_model.embed_tokens.weight"].values);
  CHECK(late.model.size() == model.bytes.size());
  CHECK(std::equal(late.model.begin() + static_cast<ptrdiff_t>(late.header_bytes), late.model.end(),
                   model.bytes.begin() + static_cast<ptrdiff_t>(model.file.data_offset)));

  // What was stored tells whether there is a head; other sizes are of another file.
  for (const Run* whole : {&equal, &late}) {
    const bool own = whole == &late;
    CHECK(whole->hashes.size() == (own ? 2 : 1) * 32);
    const Stored stored{{whole->hashes.begin(), whole->hashes.begin() + 32}, whole->header_bytes};
    const Run again = convert(own ? static_cast<CheckpointFiles&>(differs) : tied, stored);
    CHECK(std::equal(again.model.begin(),
                     again.model.begin() + static_cast<ptrdiff_t>(whole->header_bytes),
                     whole->model.begin()));
    CHECK(again.restarts == 0);
  }
}

TEST_CASE("Warnings are there before the first write, once, also where a conversion begins anew",
          "[convert][conversion]") {
  HeadCheckpoint late;  // its head differs where it is not compared first
  late.tensors["lm_head.weight"].values[20000] += 1;
  CheckpointFiles projector = late;
  projector.tracked.clear();
  std::erase_if(projector.tensors,
                [](const auto& item) { return item.first.find("projector") == std::string::npos; });
  const Files alone = FilesOf(late);
  Files files = alone;
  files["older.safetensors"] = alone.at("model.safetensors");
  files["projector.safetensors"] = FilesOf(projector).at("model.safetensors");
  const std::vector<std::string> wanted{
      "older.safetensors is not used: it is another set of weights, model.safetensors is read",
      "4 tensors are there twice with the same bytes, and one of each is used: for instance "
      "model.multi_modal_projector.linear_1.bias of model.safetensors and "
      "model.multi_modal_projector.linear_1.bias of projector.safetensors"};
  const Run single = ConvertInMemory(alone, Options("x", "f32"));
  CHECK(single.warnings.empty());
  uint64_t weights = 0;  // that are there twice
  for (const auto& [name, tensor] : projector.tensors)
    weights += tensor.values.size() * sizeof(float);
  Run whole;
  for (const uint64_t request_bytes : {uint64_t{1}, uint64_t{1000}, uint64_t{4} << 20}) {
    whole = ConvertInMemory(files, Options("x", "f32"), request_bytes);
    INFO(whole.status.message());
    REQUIRE(whole.status.ok());
    CHECK(whole.restarts == 1);
    CHECK(whole.model == single.model);
    CHECK(whole.warnings == wanted);
    CHECK(whole.BytesRead("projector.safetensors") == files.at("projector.safetensors").size());
    for (const Run::Read& read : whole.reads)
      if (read.file == "projector.safetensors" && read.offset > 8)
        CHECK(read.bytes <= std::max<uint64_t>(4, request_bytes));
  }
  // What an interrupted conversion compared is not compared again.
  const Stored stored{{whole.hashes.begin(), whole.hashes.begin() + 32}, whole.header_bytes};
  const Run again = ConvertInMemory(files, Options("x", "f32"), uint64_t{4} << 20, stored);
  REQUIRE(again.status.ok());
  CHECK(again.restarts == 0);
  CHECK(again.warnings == wanted);
  CHECK(again.BytesRead("projector.safetensors") ==
        files.at("projector.safetensors").size() - weights);

  files["projector.safetensors"].back() ^= 1;
  for (const uint64_t request_bytes : {uint64_t{1}, uint64_t{4} << 20}) {
    const Run differs = ConvertInMemory(files, Options("x", "f32"), request_bytes);
    CHECK(differs.status.code() == ErrorCode::kInvalidFile);
    CHECK_CONTAINS(differs.status.message(),
                   " of projector.safetensors are the same tensor of a FastVLM with different "
                   "values: remove one");
    CHECK(differs.warnings == std::vector{wanted[0]});
    CHECK(differs.stored.empty());
  }
}

TEST_CASE("Files that are absent, short, of another size or given twice are errors with names",
          "[convert][conversion]") {
  CheckpointFiles sharded = TinyCheckpoint();
  sharded.shards = 2;
  const Files whole = FilesOf(sharded);
  const auto refused = [&](const Files& files, ErrorCode code) {
    const Run run = ConvertInMemory(files, Options("some/model", "f32"));
    CHECK(std::string(ErrorCodeName(run.status.code())) == ErrorCodeName(code));
    CHECK(run.stored.empty());
    return run.status.message();
  };
  REQUIRE(ConvertInMemory(whole, Options("some/model", "f32")).status.ok());
  Files files = whole;
  files.erase("model-00002-of-00002.safetensors");
  CHECK_CONTAINS(refused(files, ErrorCode::kNotFound),
                 "some/model/model.safetensors.index.json: the shard "
                 "model-00002-of-00002.safetensors is wanted, no such file found beside it");
  files.erase("model.safetensors.index.json");
  CHECK_CONTAINS(refused(files, ErrorCode::kNotFound),
                 "some/model: 2 shards model-*-of-00002.safetensors wanted, 1 found");
  files.erase("model-00001-of-00002.safetensors");
  CHECK_CONTAINS(refused(files, ErrorCode::kNotFound),
                 "some/model: model.safetensors or model.safetensors.index.json wanted");
  files["onnx/decoder.onnx"] = "x";
  CHECK_CONTAINS(refused(files, ErrorCode::kUnsupported), "this is an ONNX export");
  files.erase("config.json");
  files.erase("onnx/decoder.onnx");
  CHECK_CONTAINS(refused(files, ErrorCode::kNotFound), "no config.json found in it");
  files = whole;
  files["model-00001-of-00002.safetensors"].pop_back();
  CHECK_CONTAINS(refused(files, ErrorCode::kInvalidFile),
                 "some/model/model-00001-of-00002.safetensors: tensor ");
  files["model-00001-of-00002.safetensors"] = "1234567";
  CHECK_CONTAINS(refused(files, ErrorCode::kInvalidFile), "one of 7 bytes found");
  files = whole;
  files["config.json"] = "";
  CHECK_CONTAINS(refused(files, ErrorCode::kInvalidFile), "config.json: JSON:");

  ConversionInput input;
  input.files = {{"config.json", 5}, {"config.json", 5}};
  CHECK_CONTAINS(Conversion::Create({}, input).status().message(),
                 "config.json: one file of this name wanted, two found");
  // A file that is too large to be one is not asked for.
  input.files = {{"config.json", uint64_t{5} << 30}};
  auto conversion = Conversion::Create({}, input);
  REQUIRE(conversion.ok());
  CHECK_CONTAINS((*conversion)->Next().status().message(), "at most 4194304 bytes wanted");
}

TEST_CASE("A source that supplies other bytes than asked for ends the conversion",
          "[convert][conversion]") {
  ConversionInput input;
  input.files = {{"config.json", 5}, {"model.safetensors", 100}};
  ConversionOptions options;
  options.name = "a/b";
  for (const uint64_t bytes : {4, 6}) {
    auto conversion = Conversion::Create(options, input);
    REQUIRE(conversion.ok());
    CHECK((*conversion)->Supply(5).code() == ErrorCode::kNotReady);
    const Result<ConversionTask> task = (*conversion)->Next();
    REQUIRE(task.ok());
    CHECK((task->kind == ConversionTask::Kind::kRead && task->file == "config.json" &&
           task->offset == 0 && task->bytes == 5 && task->runs == 1));
    const Status status = (*conversion)->Supply(bytes);
    CHECK(status.code() == ErrorCode::kInvalidFile);
    CHECK_CONTAINS(status.message(),
                   Format("a/b/config.json: 5 bytes from byte 0 on wanted, %d found",
                          static_cast<int>(bytes)));
    CHECK((*conversion)->Next().status().message() == status.message());
    CHECK((*conversion)->Supply(5).message() == status.message());
  }
}

TEST_CASE("A weight that is not finite is named before its chunk is stored",
          "[convert][conversion]") {
  TinyCheckpoint checkpoint;
  const std::string name = "model.language_model.norm.weight";
  checkpoint.tensors[name].values[5] = std::numeric_limits<float>::quiet_NaN();
  const Run run = ConvertInMemory(FilesOf(checkpoint), Options("x", "q8_0"));
  CHECK(run.status.code() == ErrorCode::kInvalidFile);
  CHECK_CONTAINS(run.status.message(),
                 "tensor " + name + ": finite weights wanted, nan found at element 5");
  CHECK(run.stored.empty());
}

TEST_CASE("Chunks that cannot be of this model file are rejected", "[convert][conversion]") {
  const Files files = FilesOf(TinyCheckpoint());  // one chunk
  const Run whole = ConvertInMemory(files, Options("x", "f32"));
  const auto refused = [&](size_t hash_bytes, uint64_t header_bytes) {
    const Run run = ConvertInMemory(files, Options("x", "f32"), 1 << 20,
                                    {std::vector<uint8_t>(hash_bytes), header_bytes});
    CHECK(run.status.code() == ErrorCode::kInvalidArgument);
    CHECK(run.stored.empty());
    return run.status.message();
  };
  for (const size_t bytes : {31, 33, 64})
    CHECK_CONTAINS(refused(bytes, whole.header_bytes),
                   Format("hashes of at most 1 stored chunks wanted, %zu bytes of them", bytes));
  CHECK_CONTAINS(refused(32, whole.header_bytes + 64),
                 Format("behind one of %d found: they are of another model file",
                        static_cast<int>(whole.header_bytes) + 64));
}

TEST_CASE("Options of a conversion are read from JSON", "[convert][conversion]") {
  const auto options = ParseConversionOptions(
      R"({"name": "apple/FastVLM", "type": "q4_0", "visionType": "f16", "embeddingType": "q5_0",
          "imageSize": 512, "resize": "crop", "tokenizer": false, "chatStyle": "v1",
          "packing": "panel16"})");
  INFO(options.status().message());
  REQUIRE(options.ok());
  CHECK(options->name == "apple/FastVLM");
  CHECK((options->type == DType::kQ4_0 && options->vision_type == DType::kF16 &&
         options->embedding_type == DType::kQ5_0 && options->packing == Packing::kPanel16));
  CHECK((options->image_size == 512 && options->resize == "crop" && !options->tokenizer &&
         options->chat_style == ChatStyle::kV1));
  const auto none = ParseConversionOptions("{}");
  REQUIRE(none.ok());
  CHECK((none->type == DType::kQ8_0 && !none->vision_type && none->tokenizer &&
         none->resize.empty() && none->packing == Packing::kNone));
  const auto refused = [](const char* json) {
    const Status status = ParseConversionOptions(json).status();
    CHECK(status.code() == ErrorCode::kInvalidArgument);
    return status.message();
  };
  CHECK(refused(R"({"type": "q4_1"})") ==
        "type: f32, f16, bf16, q8_0, q5_0 or q4_0 wanted, \"q4_1\" found");
  CHECK(refused(R"({"imageSize": 5000})") ==
        "imageSize: a whole number from 0 to 4096 wanted, 5000 found");
  CHECK(refused(R"({"resize": "stretch"})") ==
        "resize: \"pad\" or \"crop\" wanted, \"stretch\" found");
  CHECK_CONTAINS(refused(R"({"tokenizer": 1})"), "tokenizer");
  CHECK_CONTAINS(refused(R"({"typ": "f32"})"), "did you mean \"type\"?");
  ConversionOptions odd;
  odd.image_size = 100;
  CHECK(Conversion::Create(odd, {}).status().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tinyvlm
