// What JavaScript sees of the engine: a thin layer over the C interface (api/tinyvlm.h), with the
// same checks and the same words. Objects are their addresses, which are plain numbers here; an
// address whose object has been freed must not be used again (js-sdk/src/runtime/engine.ts sees to
// it). JavaScript reads and writes the heap itself and takes a fresh view of it after each call,
// because memory may have grown. An image never lies in the heap as a whole: while it is added, the
// engine asks for piece after piece of it.
#include <emscripten/bind.h>
#include <emscripten/em_js.h>

#include <cstdint>
#include <string>

#include "api/tinyvlm.h"

// The module's property readImage, which the caller sets (js-sdk/src/runtime/module.ts).
EM_JS(int, CallReadImage, (double offset, double to, double bytes),
      { return Module["readImage"](offset, to, bytes); });

namespace {

// A tvlm_read.
int ReadImage(uint64_t offset, void* to, size_t bytes, void*) {
  return CallReadImage(static_cast<double>(offset),
                       static_cast<double>(reinterpret_cast<uintptr_t>(to)),
                       static_cast<double>(bytes));
}

// What every function returns. JavaScript gets the value, and asks for the rest: converting a whole
// struct would take Embind 2 kB more of JavaScript.
struct CallResult {
  int32_t code = TVLM_OK;
  std::string message;
  double value = 0;  // an address, an image's number or a state: exact, they are below 2^53
  std::string text;
};

tvlm_model* ModelAt(uintptr_t address) { return reinterpret_cast<tvlm_model*>(address); }
tvlm_session* SessionAt(uintptr_t address) { return reinterpret_cast<tvlm_session*>(address); }

// The result of a function that hands out its error, which is freed.
CallResult Created(const void* object, tvlm_error* error) {
  CallResult result;
  result.code = tvlm_error_code(error);
  result.message = tvlm_error_message(error);
  result.value = static_cast<double>(reinterpret_cast<uintptr_t>(object));
  tvlm_error_free(error);
  return result;
}

CallResult ModelResult(tvlm_model* model, tvlm_code code, double value = 0) {
  return {code, code == TVLM_OK ? "" : tvlm_model_error(model), value, ""};
}

CallResult SessionResult(tvlm_session* session, tvlm_code code, double value = 0) {
  return {code, code == TVLM_OK ? "" : tvlm_session_error(session), value, ""};
}

CallResult SelfTest() {
  tvlm_error* error = nullptr;
  tvlm_self_test(&error);
  return Created(nullptr, error);
}

CallResult ModelCreate(const std::string& options) {
  tvlm_error* error = nullptr;
  const tvlm_model* const model = tvlm_model_create(options.c_str(), &error);
  return Created(model, error);
}

CallResult ModelReserve(uintptr_t address, double bytes) {
  tvlm_model* const model = ModelAt(address);
  const void* const place = tvlm_model_reserve(model, static_cast<size_t>(bytes));
  return ModelResult(model, place == nullptr ? tvlm_model_error_code(model) : TVLM_OK,
                     static_cast<double>(reinterpret_cast<uintptr_t>(place)));
}

CallResult ModelCommit(uintptr_t address, double bytes, bool verified) {
  tvlm_model* const model = ModelAt(address);
  const tvlm_code code = verified ? tvlm_model_commit_verified(model, static_cast<size_t>(bytes))
                                  : tvlm_model_commit(model, static_cast<size_t>(bytes));
  return ModelResult(model, code, tvlm_model_state(model));
}

CallResult ModelEnd(uintptr_t address) {
  tvlm_model* const model = ModelAt(address);
  return ModelResult(model, tvlm_model_end(model));
}

CallResult ModelInfo(uintptr_t address) {
  CallResult result;
  size_t length = 0;
  const char* const text = tvlm_model_info(ModelAt(address), &length);
  result.text.assign(text, length);
  return result;
}

void ModelFree(uintptr_t address) { tvlm_model_free(ModelAt(address)); }

CallResult SessionCreate(uintptr_t model, const std::string& options) {
  tvlm_error* error = nullptr;
  tvlm_session* const session = tvlm_session_create(ModelAt(model), options.c_str(), &error);
  CallResult result = Created(session, error);
  size_t length = 0;
  const char* const text = tvlm_session_info(session, &length);
  result.text.assign(text, length);
  return result;
}

void SessionFree(uintptr_t address) { tvlm_session_free(SessionAt(address)); }

// `bytes`: of the file.
CallResult AddImage(uintptr_t address, double bytes, uint32_t flags) {
  tvlm_session* const session = SessionAt(address);
  uint32_t image = 0;
  const tvlm_code code = tvlm_session_add_image_from(session, ReadImage, nullptr,
                                                     static_cast<size_t>(bytes), flags, &image);
  CallResult result = SessionResult(session, code, image);
  size_t length = 0;
  const char* const text = tvlm_session_image_info(session, image, &length);
  result.text.assign(text, length);
  return result;
}

CallResult InspectImage(uintptr_t address, double bytes, uint32_t flags) {
  tvlm_session* const session = SessionAt(address);
  size_t length = 0;
  const char* const text = tvlm_session_inspect_image_from(
      session, ReadImage, nullptr, static_cast<size_t>(bytes), flags, &length);
  CallResult result =
      SessionResult(session, text == nullptr ? tvlm_session_error_code(session) : TVLM_OK);
  if (text != nullptr) result.text.assign(text, length);
  return result;
}

// `format` is a tvlm_pixel_format, the number of channels.
CallResult AddPixels(uintptr_t address, int format, double width, double height, uint32_t flags) {
  tvlm_session* const session = SessionAt(address);
  uint32_t image = 0;
  const tvlm_code code = tvlm_session_add_pixels_from(
      session, ReadImage, nullptr, static_cast<tvlm_pixel_format>(format),
      static_cast<size_t>(width), static_cast<size_t>(height), flags, &image);
  return SessionResult(session, code, image);
}

CallResult DropImage(uintptr_t address, uint32_t image) {
  tvlm_session* const session = SessionAt(address);
  return SessionResult(session, tvlm_session_drop_image(session, image));
}

CallResult SessionAsk(uintptr_t address, const std::string& request) {
  tvlm_session* const session = SessionAt(address);
  return SessionResult(session, tvlm_session_ask(session, request.c_str()));
}

CallResult SessionEmbed(uintptr_t address, uint32_t image) {
  tvlm_session* const session = SessionAt(address);
  return SessionResult(session, tvlm_session_embed(session, image));
}

// The address of the embedding, or of the rows that it is the mean of; the text tells how many
// numbers lie there.
CallResult SessionEmbedding(uintptr_t address, bool rows) {
  tvlm_session* const session = SessionAt(address);
  size_t width = 0, tokens = 1;
  const float* numbers = tvlm_session_embedding(session, &width);
  if (rows) numbers = tvlm_session_embedding_rows(session, &tokens);
  CallResult result =
      SessionResult(session, numbers == nullptr ? tvlm_session_error_code(session) : TVLM_OK,
                    static_cast<double>(reinterpret_cast<uintptr_t>(numbers)));
  result.text = std::to_string(width * tokens);
  return result;
}

CallResult SessionAdvance(uintptr_t address, double budget_ms) {
  tvlm_session* const session = SessionAt(address);
  tvlm_run_state state = TVLM_DONE;
  const tvlm_code code = tvlm_session_advance(session, budget_ms, &state);
  CallResult result = SessionResult(session, code, state);
  size_t length = 0;
  const char* const text = tvlm_session_take_text(session, &length);
  result.text.assign(text, length);
  return result;
}

CallResult SessionReport(uintptr_t address) {
  CallResult result;
  size_t length = 0;
  const char* const text = tvlm_session_report(SessionAt(address), &length);
  result.text.assign(text, length);
  return result;
}

// Of the last call. Only the thread that owns the engine calls.
CallResult& LastResult() {
  static CallResult result;
  return result;
}

template <auto kFunction>
struct Kept;
template <typename... Args, CallResult (*kFunction)(Args...)>
struct Kept<kFunction> {
  static double Call(Args... args) {
    LastResult() = kFunction(args...);
    return LastResult().value;
  }
};

int32_t LastCode() { return LastResult().code; }
std::string LastMessage() { return LastResult().message; }
std::string LastText() { return LastResult().text; }

}  // namespace

EMSCRIPTEN_BINDINGS(tiny_vlm) {
  using emscripten::function;
  function("lastCode", &LastCode);
  function("lastMessage", &LastMessage);
  function("lastText", &LastText);
  function("selfTest", &Kept<SelfTest>::Call);
  function("modelCreate", &Kept<ModelCreate>::Call);
  function("modelReserve", &Kept<ModelReserve>::Call);
  function("modelCommit", &Kept<ModelCommit>::Call);
  function("modelEnd", &Kept<ModelEnd>::Call);
  function("modelInfo", &Kept<ModelInfo>::Call);
  function("modelFree", &ModelFree);
  function("sessionCreate", &Kept<SessionCreate>::Call);
  function("sessionFree", &SessionFree);
  function("addImage", &Kept<AddImage>::Call);
  function("inspectImage", &Kept<InspectImage>::Call);
  function("addPixels", &Kept<AddPixels>::Call);
  function("dropImage", &Kept<DropImage>::Call);
  function("sessionAsk", &Kept<SessionAsk>::Call);
  function("sessionEmbed", &Kept<SessionEmbed>::Call);
  function("sessionEmbedding", &Kept<SessionEmbedding>::Call);
  function("sessionAdvance", &Kept<SessionAdvance>::Call);
  function("sessionReport", &Kept<SessionReport>::Call);
}
