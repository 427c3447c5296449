// The ways of the C interface to load a model.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "api/objects.h"

namespace tinyvlm {
namespace {

using Catch::Matchers::ContainsSubstring;

const std::string& DemoBytes() {
  static const std::string bytes = [] {
    Result<std::string> read = ReadTextFile(DemoModelPath(), 64 << 20);
    REQUIRE(read.ok());
    return std::move(read).value();
  }();
  return bytes;
}

// What an answer of the model is, whichever way it was loaded.
void CheckAnswers(const ModelObject& model) {
  CHECK(tvlm_model_state(model.get()) == TVLM_LOAD_COMPLETE);
  const Json info = InfoOf(model);
  CHECK(*info.Find("fileBytes")->int64() == static_cast<int64_t>(DemoBytes().size()));
  CHECK(*info.Find("receivedBytes")->int64() == static_cast<int64_t>(DemoBytes().size()));
  const SessionObject session = CreateSession(model);
  const std::string image = std::to_string(AddSample(session, "sample-1.png"));
  REQUIRE(tvlm_session_ask(session.get(), Question("Describe the image.", image).c_str()) ==
          TVLM_OK);
  CHECK(Finish(session.get()) == "A sunflower.");
}

struct Progress {
  std::vector<uint64_t> loaded;
  uint64_t total = 0;
  size_t stop_after = SIZE_MAX;  // calls
};

int OnProgress(uint64_t loaded, uint64_t total, void* user_data) {
  auto* const progress = static_cast<Progress*>(user_data);
  progress->loaded.push_back(loaded);
  progress->total = total;
  return progress->loaded.size() > progress->stop_after ? 1 : 0;
}

TEST_CASE("A model is loaded from a path and tells how far it is", "[api]") {
  const ModelObject model = CreateModel();
  Progress progress;
  REQUIRE(tvlm_model_load_path(model.get(), DemoModelPath().c_str(), &OnProgress, &progress) ==
          TVLM_OK);
  REQUIRE_FALSE(progress.loaded.empty());
  CHECK(progress.total == DemoBytes().size());
  CHECK(progress.loaded.back() == progress.total);
  for (size_t i = 1; i < progress.loaded.size(); ++i)
    CHECK(progress.loaded[i] >= progress.loaded[i - 1]);
  CheckAnswers(model);
}

TEST_CASE("A model is loaded from any part of an open file", "[api]") {
  std::string path = std::string(P_tmpdir) + "/tinyvlm-loading-XXXXXX";
  const int descriptor = mkstemp(path.data());
  REQUIRE(descriptor >= 0);
  unlink(path.c_str());
  const std::string before = "an archive";  // an odd offset
  const std::string whole = before + DemoBytes() + "and more of it";
  REQUIRE(write(descriptor, whole.data(), whole.size()) == static_cast<ssize_t>(whole.size()));
  const off_t position = lseek(descriptor, 0, SEEK_CUR);
  const ModelObject model = CreateModel();
  const tvlm_code code = tvlm_model_load_descriptor(model.get(), descriptor, before.size(),
                                                    DemoBytes().size(), nullptr, nullptr);
  INFO(tvlm_model_error(model.get()));
  REQUIRE(code == TVLM_OK);
  CHECK(lseek(descriptor, 0, SEEK_CUR) == position);
  const ModelObject beyond = CreateModel();
  CHECK(tvlm_model_load_descriptor(beyond.get(), descriptor, before.size(), whole.size(), nullptr,
                                   nullptr) != TVLM_OK);
  close(descriptor);
  CheckAnswers(model);
}

TEST_CASE("A model is loaded from memory", "[api]") {
  const ModelObject model = CreateModel();
  REQUIRE(tvlm_model_load_memory(model.get(), DemoBytes().data(), DemoBytes().size(), nullptr,
                                 nullptr) == TVLM_OK);
  CheckAnswers(model);
  const ModelObject truncated = CreateModel();
  CHECK(tvlm_model_load_memory(truncated.get(), DemoBytes().data(), DemoBytes().size() - 1, nullptr,
                               nullptr) == TVLM_INVALID_FILE);
  CHECK_THAT(std::string(tvlm_model_error(truncated.get())), ContainsSubstring("truncated"));
}

TEST_CASE("A model is loaded chunk by chunk", "[api]") {
  const std::string& bytes = DemoBytes();
  const ModelObject model = CreateModel();
  size_t done = 0;
  for (size_t chunk = 1000; done < bytes.size(); chunk = chunk * 3 + 1) {
    const size_t size = std::min(chunk, bytes.size() - done);
    void* const place = tvlm_model_reserve(model.get(), size);
    INFO(tvlm_model_error(model.get()));
    REQUIRE(place != nullptr);
    std::memcpy(place, bytes.data() + done, size);
    REQUIRE(tvlm_model_commit(model.get(), size) == TVLM_OK);
    done += size;
    // From then on, what a caller needs who compares the hashes himself.
    size_t length = 0;
    const std::string info = tvlm_model_info(model.get(), &length);
    CHECK(info.size() == length);
    const bool told = info.find("\"chunkSha256\":\"") != std::string::npos;
    CHECK(told == (tvlm_model_state(model.get()) != TVLM_LOAD_HEADER));
    const bool complete = tvlm_model_state(model.get()) == TVLM_LOAD_COMPLETE;
    CHECK(complete == (done == bytes.size()));
  }
  REQUIRE(tvlm_model_end(model.get()) == TVLM_OK);
  CheckAnswers(model);
  CHECK(tvlm_model_reserve(model.get(), 1) == nullptr);
  CHECK(tvlm_model_error_code(model.get()) == TVLM_INVALID_FILE);
}

TEST_CASE("Loading ends where the callback says so", "[api]") {
  const ModelObject model = CreateModel();
  Progress progress;
  progress.stop_after = 0;
  CHECK(tvlm_model_load_path(model.get(), DemoModelPath().c_str(), &OnProgress, &progress) ==
        TVLM_ABORTED);
  CHECK(progress.loaded.size() == 1);
  CHECK(tvlm_model_error_code(model.get()) == TVLM_ABORTED);
  CHECK_THAT(std::string(tvlm_model_error(model.get())), ContainsSubstring("cancelled"));
  CHECK(tvlm_model_state(model.get()) != TVLM_LOAD_COMPLETE);
  CHECK(tvlm_session_create(model.get(), "{}", nullptr) == nullptr);
}

TEST_CASE("A model is loaded once, from what is a model", "[api]") {
  const ModelObject missing = CreateModel();
  CHECK(tvlm_model_load_path(missing.get(), "/no/such/model.gguf", nullptr, nullptr) ==
        TVLM_NOT_FOUND);
  CHECK_THAT(std::string(tvlm_model_error(missing.get())),
             ContainsSubstring("/no/such/model.gguf"));
  const ModelObject image = CreateModel();
  CHECK(tvlm_model_load_path(image.get(), SamplePath("sample-1.png").c_str(), nullptr, nullptr) ==
        TVLM_INVALID_FILE);
  const ModelObject nothing = CreateModel();
  CHECK(tvlm_model_load_path(nothing.get(), nullptr, nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_load_memory(nothing.get(), nullptr, 1, nullptr, nullptr) ==
        TVLM_INVALID_ARGUMENT);

  const ModelObject loaded = LoadDemo();
  CHECK(tvlm_model_load_path(loaded.get(), DemoModelPath().c_str(), nullptr, nullptr) ==
        TVLM_NOT_READY);
  CHECK(tvlm_model_reserve(loaded.get(), 1) == nullptr);
  CHECK(tvlm_model_error_code(loaded.get()) == TVLM_NOT_READY);
  CheckAnswers(loaded);  // unharmed
  const ModelObject begun = CreateModel();
  REQUIRE(tvlm_model_reserve(begun.get(), 1) != nullptr);
  CHECK(tvlm_model_load_path(begun.get(), DemoModelPath().c_str(), nullptr, nullptr) ==
        TVLM_NOT_READY);
}

}  // namespace
}  // namespace tinyvlm
