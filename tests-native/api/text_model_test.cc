// The C interface with a model that reads text only.
#include <cstring>
#include <string>

#include "api/objects.h"
#include "engine/text_model_file.h"

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

}  // namespace
}  // namespace tinyvlm
