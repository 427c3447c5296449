#include "engine/report.h"

#include <cinttypes>
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace tinyvlm {

namespace {

JsonWriter LogprobReport(const Session& session, const TokenLogprob& token) {
  const std::string_view bytes = session.TokenBytes(token.id);
  std::string text, list;
  AppendValidUtf8(bytes, &text);
  for (const char byte : bytes)
    list += Format("%s%d", list.empty() ? "" : ",", static_cast<uint8_t>(byte));
  JsonWriter report;
  report.String("text", text).Json("bytes", "[" + list + "]").Number("logprob", token.logprob);
  return report;
}

}  // namespace

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kNone:
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "cancelled";
}

JsonWriter UsageReport(const Session& session) {
  const Usage& usage = session.usage();
  JsonWriter report;
  report.Number("promptTokens", static_cast<double>(usage.prompt_tokens))
      .Number("imageTokens", static_cast<double>(usage.image_tokens))
      .Number("encodedImages", static_cast<double>(usage.encoded_images))
      .Number("reusedTokens", static_cast<double>(usage.reused_tokens))
      .Number("completionTokens", static_cast<double>(usage.completion_tokens));
  return report;
}

JsonWriter TimingsReport(const Session& session) {
  const SessionTimings& timings = session.timings();
  // The first token comes out of the prefill; the others are the steps that decode_ms counts.
  const size_t tokens = session.usage().completion_tokens;
  const double steps = tokens > 1 ? static_cast<double>(tokens - 1) : 0;
  JsonWriter report;
  report.Number("preprocessMs", timings.preprocess_ms)
      .Number("visionMs", timings.vision_ms)
      .Number("prefillMs", timings.prefill_ms)
      .Number("decodeMs", timings.decode_ms)
      .Number("tokensPerSecond", timings.decode_ms > 0 ? steps / timings.decode_ms * 1000 : 0);
  return report;
}

std::string LogprobsReport(const Session& session) {
  const Logprobs& logprobs = session.logprobs();
  std::string text = "[";
  for (size_t i = 0; i < logprobs.tokens(); ++i) {
    if (i > 0) text += ',';
    std::vector<JsonWriter> top;
    for (const TokenLogprob& token : logprobs.top(i)) top.push_back(LogprobReport(session, token));
    text += LogprobReport(session, logprobs.chosen(i)).Array("top", top).Finish();
  }
  return text + "]";
}

}  // namespace tinyvlm
