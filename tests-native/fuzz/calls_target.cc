// Calls of the C interface in any order on two models and three sessions, with wrong arguments
// among them; whatever comes, the objects can be freed in any order.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "api/tinyvlm.h"
#include "fuzz/fuzz.h"
#include "fuzz/tiny_models.h"
#include "text/utf8.h"

using namespace tinyvlm;

namespace {

// The models that are loaded: one that sees, one that reads text only. They outlive every session.
const std::vector<uint8_t>& ModelFile(bool vision) {
  static const std::vector<uint8_t> kSees = TinyModel({}).Write();
  static const std::vector<uint8_t> kReads =
      TinyModel({.architecture = "llama", .tokenizer = TinyTokenizer::kPieces}).Write();
  return vision ? kSees : kReads;
}

class Caller {
 public:
  explicit Caller(FuzzedDataProvider& input) : input_(input) {}

  ~Caller() {
    if (input_.ConsumeBool()) FreeModels();
    for (tvlm_session* const session : sessions_) tvlm_session_free(session);
    FreeModels();
  }

  void CallOne() {
    tvlm_model*& model = models_[Pick(models_.size())];
    const size_t m = static_cast<size_t>(&model - models_.data());
    tvlm_session*& session = sessions_[Pick(sessions_.size())];
    switch (input_.ConsumeIntegralInRange(0, 24)) {
      case 0:
        tvlm_model_free(model);
        taken_[m] = 0;
        model = tvlm_model_create(input_.ConsumeIntegralInRange(0, 7) == 0
                                      ? input_.ConsumeRandomLengthString(20).c_str()
                                      : "{\"threads\":1}",
                                  nullptr);
        return;
      case 1:
      case 2: {
        const auto& file = ModelFile(m == 0);
        Check(model, tvlm_model_load_memory(model, file.data(), file.size(), Progress, this));
        return;
      }
      case 3:
      case 4:
        return Feed(model, m);
      case 5:
        Check(model, tvlm_model_end(model));
        return;
      case 6:
        Check(model, tvlm_model_commit(model, input_.ConsumeIntegral<uint16_t>()));
        return;
      case 7:
        Check(model, tvlm_model_commit_verified(model, input_.ConsumeIntegral<uint16_t>()));
        return;
      case 8:
        Json(tvlm_model_info(model, nullptr));
        MustHold(tvlm_model_state(model) <= TVLM_LOAD_COMPLETE, "a state is known");
        return;
      case 9:
      case 10: {
        static constexpr const char* kOptions[] = {
            "{}", "{\"context\":200}", "{\"context\":400,\"imageSize\":128,\"resize\":\"crop\"}",
            "{\"chatStyle\":\"plain\",\"compute\":\"f32\"}"};
        tvlm_session_free(session);
        tvlm_error* error = nullptr;
        session = tvlm_session_create(model, input_.PickValueInArray(kOptions), &error);
        MustHold((session == nullptr) == (error != nullptr), "a session or an error");
        MustBeTold(
            Status(static_cast<ErrorCode>(tvlm_error_code(error)), tvlm_error_message(error)));
        tvlm_error_free(error);
        return;
      }
      case 11:
        return AddPixels(session);
      case 12: {
        const std::string bytes = input_.ConsumeRandomLengthString(40);
        uint32_t image = 0;
        Check(session,
              tvlm_session_add_image(session, bytes.data(), bytes.size(), Flags(), &image));
        return;
      }
      case 13: {
        uint32_t image = 0;
        Check(session, tvlm_session_add_pixels_from(session, ReadPixels, this, TVLM_PIXELS_RGB,
                                                    Pick(40), Pick(40), Flags(), &image));
        return;
      }
      case 14:
        Check(session, tvlm_session_drop_image(session, Image()));
        return;
      case 15:
      case 16:
      case 17:
        Check(session, tvlm_session_ask(session, Request().c_str()));
        return;
      case 18:
        Check(session, tvlm_session_embed(session, Image()));
        return;
      case 19:
      case 20: {
        tvlm_run_state state = TVLM_RUNNING;
        const double budgets[] = {0, 0.1, 100, -1};
        Check(session, tvlm_session_advance(session, budgets[Pick(4)], &state));
        return;
      }
      case 21:
        // An answer that waits for weights would wait for ever on this thread.
        if (session != nullptr && Whole()) Check(session, tvlm_session_run(session, OnText, this));
        return;
      case 22:
        tvlm_session_cancel(session);
        return;
      case 23: {
        size_t length = 0;
        const char* const text = tvlm_session_take_text(session, &length);
        MustHold(IsValidUtf8({text, length}), "text is UTF-8");
        Json(tvlm_session_report(session, &length));
        Json(tvlm_session_image_info(session, Image(), nullptr));
        Json(tvlm_session_info(session, nullptr));
        return;
      }
      default: {
        size_t width = 0, tokens = 0;
        const float* const pooled = tvlm_session_embedding(session, &width);
        const float* const rows = tvlm_session_embedding_rows(session, &tokens);
        MustHold((pooled != nullptr) == (width != 0) && (rows != nullptr) == (tokens != 0),
                 "numbers come with how many they are");
        double sum = 0;
        for (size_t i = 0; i < width * tokens; ++i) sum += double{rows[i]};
        for (size_t i = 0; i < width; ++i) sum += double{pooled[i]};
        MustHold(sum == sum, "an embedding consists of numbers");
      }
    }
  }

 private:
  size_t Pick(size_t count) { return input_.ConsumeIntegralInRange<size_t>(0, count - 1); }
  uint32_t Image() { return input_.ConsumeIntegralInRange<uint32_t>(0, 4); }
  uint32_t Flags() { return input_.ConsumeIntegralInRange<uint32_t>(0, 4); }

  // Where no model is being loaded in pieces, no answer waits.
  bool Whole() const { return taken_[0] == 0 && taken_[1] == 0; }

  void FreeModels() {
    for (tvlm_model*& model : models_) {
      tvlm_model_free(model);
      model = nullptr;
    }
  }

  void Check(tvlm_model* model, tvlm_code code) {
    if (model == nullptr) return MustHold(code == TVLM_INVALID_ARGUMENT, "no model is no model");
    MustBeTold(
        Status(static_cast<ErrorCode>(code), code == TVLM_OK ? "" : tvlm_model_error(model)));
    MustHold(code == TVLM_OK || tvlm_model_error_code(model) == code, "the model keeps its error");
  }
  void Check(tvlm_session* session, tvlm_code code) {
    if (session == nullptr) return MustHold(code == TVLM_INVALID_ARGUMENT, "no session is none");
    MustBeTold(
        Status(static_cast<ErrorCode>(code), code == TVLM_OK ? "" : tvlm_session_error(session)));
    MustHold(code == TVLM_OK || tvlm_session_error_code(session) == code,
             "the session keeps its error");
  }
  static void Json(const char* text) {
    MustHold(text != nullptr, "a text is never NULL");
    MustHold(*text == '\0' || *text == '{', "a report is an object, or empty");
  }

  static int Progress(uint64_t loaded, uint64_t total, void* self) {
    MustHold(loaded <= total, "no more is loaded than there is");
    return static_cast<Caller*>(self)->input_.ConsumeIntegralInRange(0, 15) == 15;
  }
  static int ReadPixels(uint64_t, void* to, size_t bytes, void* self) {
    std::fill_n(static_cast<uint8_t*>(to), bytes, uint8_t{77});
    return static_cast<Caller*>(self)->input_.ConsumeIntegralInRange(0, 15) == 15;
  }
  static int OnText(const char* text, size_t length, void* self) {
    MustHold(length > 0 && IsValidUtf8({text, length}), "a piece is text");
    return static_cast<Caller*>(self)->input_.ConsumeIntegralInRange(0, 3) == 3;
  }

  // The next bytes of the model's file.
  void Feed(tvlm_model* model, size_t m) {
    const auto& file = ModelFile(m == 0);
    const size_t bytes = input_.ConsumeBool() ? file.size() : input_.ConsumeIntegral<uint16_t>();
    void* const to = tvlm_model_reserve(model, bytes);
    if (to == nullptr) return;
    const size_t taken = std::min(taken_[m], file.size()),
                 given = std::min(bytes, file.size() - taken);
    std::copy_n(file.begin() + static_cast<ptrdiff_t>(taken), given, static_cast<uint8_t*>(to));
    std::fill_n(static_cast<uint8_t*>(to) + given, bytes - given, uint8_t{0});
    const tvlm_code code = tvlm_model_commit(model, bytes);
    Check(model, code);
    if (code == TVLM_OK) taken_[m] = taken_[m] + bytes;
  }

  void AddPixels(tvlm_session* session) {
    const size_t width = input_.ConsumeIntegralInRange<size_t>(0, 12),
                 height = input_.ConsumeIntegralInRange<size_t>(0, 12);
    const size_t stride = input_.ConsumeBool() ? 0 : input_.ConsumeIntegral<size_t>();
    const auto format = static_cast<tvlm_pixel_format>(input_.ConsumeIntegralInRange(2, 5));
    const size_t bytes = width * height * static_cast<size_t>(format);
    const ExactCopy pixels(std::vector<uint8_t>(bytes, 9));
    uint32_t image = 0;
    Check(session, tvlm_session_add_pixels(session, pixels.bytes().data(), bytes, format, width,
                                           height, stride, Flags(), &image));
  }

  std::string Request() {
    static constexpr const char* kMore[] = {
        "",
        ",\"maxTokens\":2",
        ",\"maxTokens\":40,\"temperature\":1,\"seed\":3",
        ",\"responseFormat\":{\"choices\":[\"ab\",\"b\"]}",
        ",\"maxTokens\":9,\"stop\":[\"a\"],\"logprobs\":2",
        ",\"responseFormat\":{\"schema\":{\"type\":\"boolean\"}},\"maxTokens\":30"};
    const std::string images = input_.ConsumeBool() ? std::to_string(Image()) : "";
    return std::string("{\"messages\":[{\"role\":\"user\",\"content\":\"") +
           std::string(input_.ConsumeIntegralInRange<size_t>(0, 30), 'a') + "\",\"images\":[" +
           images + "]}]" + input_.PickValueInArray(kMore) + "}";
  }

  FuzzedDataProvider& input_;
  std::array<tvlm_model*, 2> models_{};
  std::array<size_t, 2> taken_{};  // bytes of each model's file that were given in pieces
  std::array<tvlm_session*, 3> sessions_{};
};

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  FuzzedDataProvider input(data, size);
  Caller caller(input);
  for (int calls = 0; calls < 60 && input.remaining_bytes() > 0; ++calls) caller.CallOne();
  return 0;
}
