// What `responseFormat` costs: the constraint alone, and a decoder under it beside a free one.
#ifndef TINYVLM_CLI_BENCH_CONSTRAIN_H_
#define TINYVLM_CLI_BENCH_CONSTRAIN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "backend/decoder.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "cli/measure.h"
#include "engine/model.h"

namespace tinyvlm {

// One response format, followed for some hundred tokens drawn at random from those that it allows.
struct ConstraintCost {
  const char* format;
  double read_ms = 0;     // from the format's JSON to a constraint
  double first_ms = 0;    // for the first token's mask
  double average_ms = 0;  // for each further token: its mask, and following it
  double worst_ms = 0;    // for the slowest of them
  size_t tokens = 0;      // how many these are
};

// The constraint alone on the vocabulary of the model, which must have a tokenizer (unsupported
// otherwise). Every round follows the same tokens with a new constraint; a token's time is the
// least of all rounds, because what the machine does meanwhile only adds to it.
Result<std::vector<ConstraintCost>> BenchConstraint(const Model& model, size_t rounds);

// Decoding greedily under one format and freely.
struct ConstrainedDecode {
  const char* format;
  Spread free_ms, constrained_ms;  // of all tokens
  double ratio = 0;                // of the constrained speed to the free one, of the medians
};

// A round of a format is one free and one constrained answer behind `prefix` tokens, which
// `decoder` has computed already; the two take turns at each token. Errors: as above, and the
// decoder's.
Result<std::vector<ConstrainedDecode>> BenchConstrainedDecode(const Model& model, Decoder& decoder,
                                                              size_t prefix, size_t tokens,
                                                              size_t rounds);

void PrintConstraintCosts(const std::vector<ConstraintCost>& costs);
void PrintConstrainedDecodes(const std::vector<ConstrainedDecode>& decodes, size_t tokens);
std::vector<JsonWriter> ConstraintReport(const std::vector<ConstraintCost>& costs);
std::vector<JsonWriter> ConstrainedDecodeReport(const std::vector<ConstrainedDecode>& decodes);

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_BENCH_CONSTRAIN_H_
