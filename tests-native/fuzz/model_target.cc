// A whole model file: loaded from memory and in pieces, its memory estimated, asked about an image.
#include <algorithm>
#include <string>
#include <vector>

#include "api/owned_objects.h"
#include "api/tinyvlm.h"
#include "fuzz/fuzz.h"
#include "fuzz/gguf_edit.h"

using namespace tinyvlm;

namespace {

// `damaged_weights`: numbers computed from them may be no numbers, which the engine calls internal.
void MustBeTold(tvlm_code code, const char* message, bool damaged_weights = false) {
  if (code == TVLM_OK) return;
  if (code == TVLM_INTERNAL && damaged_weights) return;
  tinyvlm::MustBeTold(Status(static_cast<ErrorCode>(code), message));
}

// Sessions of hostile sizes are refused or small: what they would take was estimated before.
constexpr uint64_t kMostBytes = uint64_t{64} << 20;

// The answer's text, or the error's.
std::string AskIt(tvlm_model* model) {
  tvlm_error* told = nullptr;
  const SessionObject session(tvlm_session_create(model, "{\"context\":200}", &told));
  const ErrorObject error(told);
  MustBeTold(tvlm_error_code(told), tvlm_error_message(told));
  if (session == nullptr) return tvlm_error_message(told);
  constexpr uint8_t kPixels[3 * 3 * 3] = {255, 0, 0, 0, 255, 0, 0, 0, 255};
  uint32_t image = 0;
  tvlm_code code = tvlm_session_add_pixels(session.get(), kPixels, sizeof(kPixels), TVLM_PIXELS_RGB,
                                           3, 3, 0, 0, &image);
  MustBeTold(code, tvlm_session_error(session.get()));
  const std::string images = code == TVLM_OK ? "1" : "";
  code = tvlm_session_ask(session.get(),
                          ("{\"messages\":[{\"role\":\"user\",\"content\":\"ab c\",\"images\":[" +
                           images + "]}],\"maxTokens\":3,\"logprobs\":2}")
                              .c_str());
  MustBeTold(code, tvlm_session_error(session.get()));
  if (code == TVLM_OK) {
    code = tvlm_session_run(session.get(), nullptr, nullptr);
    MustBeTold(code, tvlm_session_error(session.get()), true);
  }
  if (code != TVLM_OK) return tvlm_session_error(session.get());
  size_t length = 0;
  const char* const report = tvlm_session_report(session.get(), &length);
  MustHold(length > 2 && report[0] == '{', "a report is an object");
  return tvlm_session_take_text(session.get(), &length);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const ExactCopy file({data, size});
  tvlm_memory_estimate estimate;
  tvlm_error* told = nullptr;
  const tvlm_code estimated = tvlm_estimate_header(data, size, "{}", "{}", &estimate, &told);
  const ErrorObject error(told);
  MustBeTold(estimated, tvlm_error_message(told));
  const uint64_t wanted = estimate.weight_bytes + estimate.tokenizer_bytes +
                          estimate.kv_cache_bytes + estimate.activation_bytes;

  const ModelObject whole(tvlm_model_create("{}", nullptr));
  const tvlm_code loaded =
      tvlm_model_load_memory(whole.get(), file.bytes().data(), size, nullptr, nullptr);
  MustBeTold(loaded, tvlm_model_error(whole.get()));
  tvlm_model_info(whole.get(), nullptr);

  // In pieces of a length that the file itself decides.
  const ModelObject pieces(tvlm_model_create("{}", nullptr));
  const size_t piece = size == 0 ? 1 : 1 + (size * 7919 + data[size / 2]) % size;
  tvlm_code code = TVLM_OK;
  for (size_t at = 0; at < size && code == TVLM_OK;) {
    const size_t bytes = std::min(piece, size - at);
    void* const to = tvlm_model_reserve(pieces.get(), bytes);
    if (to == nullptr) {
      code = tvlm_model_error_code(pieces.get());
      MustHold(code != TVLM_OK, "a refusal has a code");
      break;
    }
    std::copy_n(data + at, bytes, static_cast<uint8_t*>(to));
    code = tvlm_model_commit(pieces.get(), bytes);
    at += bytes;
  }
  if (code == TVLM_OK) code = tvlm_model_end(pieces.get());
  MustBeTold(code, tvlm_model_error(pieces.get()));
  MustHold((loaded == TVLM_OK) == (code == TVLM_OK) ||
               loaded == TVLM_OK /* in place, where hashes of weights are not compared */,
           "what can be loaded in pieces can be loaded whole");
  if (loaded == TVLM_OK && estimated == TVLM_OK && wanted <= kMostBytes) {
    const std::string answer = AskIt(whole.get());
    if (code == TVLM_OK)
      MustHold(AskIt(pieces.get()) == answer, "the way of loading changes no answer");
  }
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateGguf(data, size, max_size, seed);
}
