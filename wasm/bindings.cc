// Everything that JavaScript sees of the engine: one function per function of the C interface
// (api/tinyvlm.h), under JavaScript's names. Heap addresses are plain numbers; JavaScript takes a
// fresh view of the heap after each call, because memory may have grown.
#include <emscripten/bind.h>

#include <cstdint>
#include <string>

#include "api/tinyvlm.h"

namespace {

// What every function returns: a plain object { code, message, value, text }.
struct CallResult {
  int32_t code;
  std::string message;
  double value;  // exact: handles, states and addresses are below 2^53
  std::string text;
};

CallResult FromC(const tvlm_result& result) {
  return {result.code, result.message, static_cast<double>(result.value), result.text};
}

CallResult SelfTest() { return FromC(tvlm_self_test()); }
CallResult ModelCreate(const std::string& options) {
  return FromC(tvlm_model_create(options.c_str()));
}
CallResult ModelReserve(uint32_t model, double bytes) {
  return FromC(tvlm_model_reserve(model, static_cast<uint64_t>(bytes)));
}
CallResult ModelCommit(uint32_t model, double bytes) {
  return FromC(tvlm_model_commit(model, static_cast<uint64_t>(bytes)));
}
CallResult ModelEnd(uint32_t model) { return FromC(tvlm_model_end(model)); }
CallResult ModelInfo(uint32_t model) { return FromC(tvlm_model_info(model)); }
CallResult ModelDispose(uint32_t model) { return FromC(tvlm_model_dispose(model)); }
CallResult SessionCreate(uint32_t model, const std::string& options) {
  return FromC(tvlm_session_create(model, options.c_str()));
}
CallResult ImageReserve(uint32_t session, double bytes) {
  return FromC(tvlm_image_reserve(session, static_cast<uint64_t>(bytes)));
}
CallResult ImageAdd(uint32_t session, const std::string& options) {
  return FromC(tvlm_image_add(session, options.c_str()));
}
CallResult ImageDrop(uint32_t session, uint32_t image) {
  return FromC(tvlm_image_drop(session, image));
}
CallResult SessionAsk(uint32_t session, const std::string& request) {
  return FromC(tvlm_session_ask(session, request.c_str()));
}
CallResult SessionAdvance(uint32_t session, double budget_ms) {
  return FromC(tvlm_session_advance(session, budget_ms));
}
CallResult SessionResult(uint32_t session) { return FromC(tvlm_session_result(session)); }
CallResult SessionDispose(uint32_t session) { return FromC(tvlm_session_dispose(session)); }

}  // namespace

EMSCRIPTEN_BINDINGS(tiny_vlm) {
  using emscripten::function;
  emscripten::value_object<CallResult>("CallResult")
      .field("code", &CallResult::code)
      .field("message", &CallResult::message)
      .field("value", &CallResult::value)
      .field("text", &CallResult::text);
  function("selfTest", &SelfTest);
  function("modelCreate", &ModelCreate);
  function("modelReserve", &ModelReserve);
  function("modelCommit", &ModelCommit);
  function("modelEnd", &ModelEnd);
  function("modelInfo", &ModelInfo);
  function("modelDispose", &ModelDispose);
  function("sessionCreate", &SessionCreate);
  function("imageReserve", &ImageReserve);
  function("imageAdd", &ImageAdd);
  function("imageDrop", &ImageDrop);
  function("sessionAsk", &SessionAsk);
  function("sessionAdvance", &SessionAdvance);
  function("sessionResult", &SessionResult);
  function("sessionDispose", &SessionDispose);
}
