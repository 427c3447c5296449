// The C interface with a model that reads text only.
#include <cstring>
#include <string>

#include "api/tinyvlm.h"
#include "base/json.h"
#include "engine/text_model_file.h"

namespace tinyvlm {
namespace {

TEST_CASE("A text model says what it is, and refuses images and, without a tokenizer, questions",
          "[api]") {
  const std::vector<uint8_t> bytes = Write(ToLlama(RandomModel({DType::kQ6_K})));
  const auto model = static_cast<uint32_t>(tvlm_model_create("{}").value);
  const tvlm_result place = tvlm_model_reserve(model, bytes.size());
  REQUIRE(place.code == 0);
  std::memcpy(reinterpret_cast<void*>(static_cast<uintptr_t>(place.value)), bytes.data(),
              bytes.size());
  const tvlm_result committed = tvlm_model_commit(model, bytes.size());
  INFO(committed.message);
  REQUIRE(committed.code == 0);
  CHECK(committed.value == 1);  // the padding behind the last tensor might still come
  REQUIRE(tvlm_model_end(model).code == 0);

  const auto info = ParseJson(tvlm_model_info(model).text);
  REQUIRE(info.ok());
  CHECK(*info->Find("state")->int64() == 2);
  CHECK(*info->Find("architecture")->string() == "llama");
  CHECK(*info->Find("imageSize")->int64() == 0);
  CHECK(*info->Find("imageTokens")->int64() == 0);
  CHECK_FALSE(*info->Find("hasTokenizer")->boolean());
  CHECK(*info->Find("vocabulary")->int64() == static_cast<int64_t>(kVocabulary));
  CHECK(*info->Find("fileBytes")->int64() == static_cast<int64_t>(bytes.size()));

  const tvlm_result created = tvlm_session_create(model, "{}");
  INFO(created.message);
  REQUIRE(created.code == 0);
  const auto session = static_cast<uint32_t>(created.value);
  const tvlm_result pixels = tvlm_image_reserve(session, 3);
  REQUIRE(pixels.code == 0);
  std::memset(reinterpret_cast<void*>(static_cast<uintptr_t>(pixels.value)), 7, 3);
  const tvlm_result added = tvlm_image_add(session, R"({"format":"rgb","width":1,"height":1})");
  CHECK(added.code == static_cast<int32_t>(ErrorCode::kUnsupported));
  CHECK_THAT(std::string(added.message),
             Catch::Matchers::ContainsSubstring("this model reads text only"));
  const tvlm_result asked = tvlm_session_ask(session, R"({"prompt":"Hello"})");
  CHECK(asked.code == static_cast<int32_t>(ErrorCode::kUnsupported));
  CHECK_THAT(std::string(asked.message), Catch::Matchers::ContainsSubstring("no tokenizer"));
  CHECK(tvlm_session_dispose(session).code == 0);
  CHECK(tvlm_model_dispose(model).code == 0);
}

}  // namespace
}  // namespace tinyvlm
