// JSON Schema (draft 2020-12) as a grammar of compact JSON texts that validate.
#ifndef TINYVLM_CONSTRAIN_JSON_SCHEMA_H_
#define TINYVLM_CONSTRAIN_JSON_SCHEMA_H_

#include "base/json.h"
#include "base/status.h"
#include "constrain/grammar.h"

namespace tinyvlm {

// Adds the texts of `schema` as rule 0 of an empty grammar, which is not finished. Every text
// validates; not every text that would validate is among them: properties come in the schema's
// order, numbers have no more digits than a double tells apart, and where a schema lists properties
// or prefix items it has no others, unless it says what they are. docs/sdk.md lists the keywords.
// Errors: invalid_argument for every other keyword, naming it and the place as a JSON pointer, and
// for what is no schema.
Status AddJsonSchema(const Json& schema, Grammar& grammar);

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_JSON_SCHEMA_H_
