// The report on an answer, with the field names that every interface uses (docs/sdk.md).
#ifndef TINYVLM_ENGINE_REPORT_H_
#define TINYVLM_ENGINE_REPORT_H_

#include <string>

#include "base/json_writer.h"
#include "engine/session.h"

namespace tinyvlm {

// "stop", "length" or, for an answer that was not run to its end, "cancelled".
const char* FinishReasonName(FinishReason reason);

// {promptTokens, imageTokens, encodedImages, reusedTokens, completionTokens}
JsonWriter UsageReport(const Session& session);

// {preprocessMs, visionMs, prefillMs, decodeMs, tokensPerSecond}
JsonWriter TimingsReport(const Session& session);

// [{text, bytes, logprob, top: [{text, bytes, logprob}]}], one entry for each token; logprobs were
// asked for.
std::string LogprobsReport(const Session& session);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_REPORT_H_
