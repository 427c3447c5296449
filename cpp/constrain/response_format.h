// The form that an answer must have.
#ifndef TINYVLM_CONSTRAIN_RESPONSE_FORMAT_H_
#define TINYVLM_CONSTRAIN_RESPONSE_FORMAT_H_

#include <memory>

#include "base/json.h"
#include "base/status.h"
#include "constrain/grammar.h"

namespace tinyvlm {

// The texts of {"schema": a JSON Schema}, {"choices": [text, ...]} or {"pattern": a regular
// expression that the whole text matches}, as a finished grammar. Errors (invalid_argument): other
// keys, what is no such value, schemas and patterns that are not supported
// (constrain/json_schema.h, constrain/pattern.h), that allow no text, or that are too large.
Result<std::shared_ptr<const Grammar>> ParseResponseFormat(const Json& format);

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_RESPONSE_FORMAT_H_
