// Options and requests of the C interface: JSON objects become the engine's types. An unknown key,
// a value of the wrong type or a number out of range is invalid_argument; the message names the key
// as it is written in JSON. A key that is missing has its default.
#ifndef TINYVLM_API_REQUEST_H_
#define TINYVLM_API_REQUEST_H_

#include <cstddef>

#include "base/status.h"
#include "engine/session.h"

namespace tinyvlm {

// The keys are those of engine/options.json.
Result<ModelOptions> ParseModelOptions(const char* text);

// Here the default of "context" is at most `max_context`, the model's limit.
Result<SessionOptions> ParseSessionOptions(const char* text, size_t max_context);

// A question: {"messages": [...]} and the answer's options. Image ids are checked by the session.
Result<AskOptions> ParseRequest(const char* text);

}  // namespace tinyvlm

#endif  // TINYVLM_API_REQUEST_H_
