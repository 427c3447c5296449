// Options and requests of the C interface: JSON objects become the engine's types. An unknown key,
// a value of the wrong type or a number out of range is invalid_argument; the message names the key
// as it is written in JSON. A key that is missing has its default.
#ifndef TINYVLM_API_REQUEST_H_
#define TINYVLM_API_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "engine/session.h"

namespace tinyvlm {

// The keys are those of engine/options.json.
Result<ModelOptions> ParseModelOptions(const char* text);

// Here the default of "context" is at most `max_context`, the model's limit.
Result<SessionOptions> ParseSessionOptions(const char* text, size_t max_context);

struct Request {
  AskOptions options;
  bool is_prompt = false;  // one question about the pending images, rather than messages
};

// A question: "prompt" (about the images `pending`) or "messages", and the answer's options. Image
// ids are checked by the session.
Result<Request> ParseRequest(const char* text, const std::vector<ImageId>& pending);

// A JSON object whose keys are all among `keys`; `text` may be null, which is an error.
Result<Json> ParseObject(const char* text, const std::vector<std::string_view>& keys);

// Members that may be missing: `value` is then left as it is.
Status ReadInt(const Json& json, const char* key, int64_t min, int64_t max, int64_t* value);
Status ReadBool(const Json& json, const char* key, bool* value);
Status ReadString(const Json& json, const char* key, std::string* value);

}  // namespace tinyvlm

#endif  // TINYVLM_API_REQUEST_H_
