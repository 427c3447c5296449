// The C interface with a model that reads text only.
#include <cstring>
#include <string>
#include <vector>

#include "api/objects.h"
#include "base/file.h"
#include "engine/text_model_file.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

TEST_CASE("A text model says what it is, and refuses images and, without a tokenizer, questions",
          "[api]") {
  const std::vector<uint8_t> bytes = Write(ToLlama(RandomModel({DType::kQ6_K})));
  const ModelObject model = CreateModel();
  void* const place = tvlm_model_reserve(model.get(), bytes.size());
  REQUIRE(place != nullptr);
  std::memcpy(place, bytes.data(), bytes.size());
  REQUIRE(tvlm_model_commit(model.get(), bytes.size()) == TVLM_OK);
  // The padding behind the last tensor might still come.
  CHECK(tvlm_model_state(model.get()) == TVLM_LOAD_DATA);
  REQUIRE(tvlm_model_end(model.get()) == TVLM_OK);
  CHECK(tvlm_model_state(model.get()) == TVLM_LOAD_COMPLETE);

  const Json info = InfoOf(model);
  CHECK(*info.Find("state")->int64() == TVLM_LOAD_COMPLETE);
  CHECK(*info.Find("architecture")->string() == "llama");
  CHECK(*info.Find("imageSize")->int64() == 0);
  CHECK(*info.Find("imageTokens")->int64() == 0);
  CHECK_FALSE(*info.Find("hasTokenizer")->boolean());
  CHECK(*info.Find("vocabulary")->int64() == static_cast<int64_t>(kVocabulary));
  CHECK(*info.Find("fileBytes")->int64() == static_cast<int64_t>(bytes.size()));

  const SessionObject session = CreateSession(model);
  const uint8_t pixel[3] = {7, 7, 7};
  uint32_t image = 0;
  CHECK(tvlm_session_add_pixels(session.get(), pixel, 3, TVLM_PIXELS_RGB, 1, 1, 0, 0, &image) ==
        TVLM_UNSUPPORTED);
  CHECK_THAT(std::string(tvlm_session_error(session.get())),
             Catch::Matchers::ContainsSubstring("this model reads text only"));
  CHECK(tvlm_session_ask(session.get(), Question("Hello").c_str()) == TVLM_UNSUPPORTED);
  CHECK_THAT(std::string(tvlm_session_error(session.get())),
             Catch::Matchers::ContainsSubstring("no tokenizer"));
}

TEST_CASE("What was assumed of a file is among its model's warnings", "[api][golden]") {
  Result<std::string> file =
      ReadTextFile(GoldenPath("gguf/qwen2-f32.gguf").string(), uint64_t{1} << 24);
  REQUIRE(file.ok());
  const auto warnings = [&file] {
    const ModelObject model = CreateModel();
    REQUIRE(tvlm_model_load_memory(model.get(), file->data(), file->size(), nullptr, nullptr) ==
            TVLM_OK);
    const Json info = InfoOf(model);
    std::vector<std::string> sentences;
    for (const Json& warning : *info.Find("warnings")->array())
      sentences.push_back(*warning.string());
    return sentences;
  };
  CHECK(warnings().empty());
  const size_t key = file->find("tokenizer.ggml.pre");
  REQUIRE(key != std::string::npos);
  (*file)[key] = 'x';  // another key, which nobody reads
  CHECK(warnings() == std::vector<std::string>{"tokenizer.ggml.pre is missing: texts are split as "
                                               "Qwen2 splits them"});
}

}  // namespace
}  // namespace tinyvlm
