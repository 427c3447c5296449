// Estimates of memory: what they say before a model is loaded is what it then takes.
#include <string>

#include "api/objects.h"
#include "engine/memory_estimate.h"
#include "engine/model_file.h"

namespace tinyvlm {
namespace {

constexpr const char* kSession = R"({"context":512,"imageSize":128})";

tvlm_memory_estimate EstimateDemo(const char* session_options) {
  tvlm_memory_estimate estimate;
  tvlm_error* error = nullptr;
  const tvlm_code code =
      tvlm_estimate_path(DemoModelPath().c_str(), "{}", session_options, &estimate, &error);
  const ErrorObject owned(error);
  INFO(tvlm_error_message(error));
  REQUIRE(code == TVLM_OK);
  return estimate;
}

TEST_CASE("An estimate is what the model and its session then take", "[api]") {
  const tvlm_memory_estimate estimate = EstimateDemo(kSession);
  LoadOptions options;
  const auto model = LoadModel(DemoModelPath(), options);
  REQUIRE(model.ok());
  SessionOptions session_options;
  session_options.context = 512;
  session_options.image_size = 128;
  const auto session = Session::Create(*model, session_options);
  REQUIRE(session.ok());
  CHECK(estimate.kv_cache_bytes + estimate.activation_bytes == (*session)->memory_bytes());
  CHECK(estimate.kv_cache_bytes == (*session)->kv_cache_bytes());
  CHECK(estimate.tokenizer_bytes == (*model)->tokenizer()->memory_bytes());
  const auto file = RandomAccessFile::Open(DemoModelPath());
  REQUIRE(file.ok());
  CHECK(estimate.header_bytes + estimate.weight_bytes >= file->size());
  CHECK(estimate.header_bytes < file->size());

  // Twice the context takes twice the cache.
  CHECK(EstimateDemo(R"({"context":1024,"imageSize":128})").kv_cache_bytes ==
        2 * estimate.kv_cache_bytes);
}

TEST_CASE("The beginning of a file is enough for an estimate, and says how much that is", "[api]") {
  const tvlm_memory_estimate want = EstimateDemo(kSession);
  const auto bytes = ReadTextFile(DemoModelPath(), 64 << 20);
  REQUIRE(bytes.ok());
  tvlm_memory_estimate estimate;
  tvlm_code code = TVLM_NOT_READY;
  size_t rounds = 0;
  for (size_t given = 64; code == TVLM_NOT_READY; given = estimate.header_bytes) {
    REQUIRE(++rounds < 100);
    code = tvlm_estimate_header(bytes->data(), given, "{}", kSession, &estimate, nullptr);
    REQUIRE((code == TVLM_OK || estimate.header_bytes > given));
  }
  REQUIRE(code == TVLM_OK);
  CHECK(rounds > 1);
  CHECK(estimate.header_bytes == want.header_bytes);
  CHECK(estimate.weight_bytes == want.weight_bytes);
  CHECK(estimate.kv_cache_bytes == want.kv_cache_bytes);
  CHECK(estimate.activation_bytes == want.activation_bytes);
}

TEST_CASE("What cannot be estimated says why", "[api]") {
  tvlm_memory_estimate estimate;
  const auto refused = [&](const char* path, const char* model, const char* session,
                           const char* words) {
    tvlm_error* error = nullptr;
    const tvlm_code code = tvlm_estimate_path(path, model, session, &estimate, &error);
    const ErrorObject owned(error);
    CHECK(tvlm_error_code(error) == code);
    CHECK_THAT(std::string(tvlm_error_message(error)), Catch::Matchers::ContainsSubstring(words));
    return code;
  };
  const std::string demo = DemoModelPath(), image = SamplePath("sample-1.png");
  CHECK(refused("/no/such.gguf", "{}", "{}", "/no/such.gguf") == TVLM_NOT_FOUND);
  CHECK(refused(nullptr, "{}", "{}", "path") == TVLM_INVALID_ARGUMENT);
  CHECK(refused(image.c_str(), "{}", "{}", "sample-1.png") == TVLM_INVALID_FILE);
  CHECK(refused(demo.c_str(), "{\"threads\":0}", "{}", "threads") == TVLM_INVALID_ARGUMENT);
  CHECK(refused(demo.c_str(), "{}", "{\"context\":100000}", "context") == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_estimate_path(demo.c_str(), "{}", "{}", nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tinyvlm
