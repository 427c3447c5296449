// Chooses the next token from logits: greedy, or random among the likely ones.
#ifndef TINYVLM_BACKEND_SAMPLER_H_
#define TINYVLM_BACKEND_SAMPLER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/sampling_options.h"
#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

// invalid_argument for NaN and for numbers out of range, naming the option by its key ("topP") and
// the value.
Status CheckSamplingOptions(const SamplingOptions& options);

// Options are applied in this order: repetition penalty, frequency and presence penalty, n-grams,
// temperature, top-k, top-p, min-p, draw (that of transformers, which has no frequency penalty).
class Sampler {
 public:
  // Returned by Sample when there is nothing to choose: no candidate above -inf, or a logit that is
  // NaN or +inf (the model computed nonsense).
  static constexpr int32_t kNoToken = -1;

  // Checks the options and allocates for logits of `vocabulary` ids. Errors: invalid_argument,
  // out_of_memory.
  static Result<Sampler> Create(const SamplingOptions& options, size_t vocabulary);

  // In later histories the first `prompt_tokens` tokens are the prompt's, the rest the answer's.
  // Without this call the prompt is empty.
  void BeginAnswer(size_t prompt_tokens) { prompt_tokens_ = prompt_tokens; }

  // The next token's id. Candidates are the ids below `valid` (at most logits.size() and the
  // vocabulary) whose byte in `allowed`, where it is not empty, is not 0; an id beyond the end of
  // `allowed` is not a candidate. `history`: tokens so far, for penalties and n-grams; image
  // markers and other ids out of range are skipped. Changes logits (penalties; -inf where an n-gram
  // would repeat). Of equal logits, the lower id comes first. Allocates nothing.
  int32_t Sample(std::span<float> logits, size_t valid, std::span<const int32_t> history,
                 std::span<const uint8_t> allowed = {});

 private:
  struct Candidate {
    double weight;  // probability, as a share of the best one's
    float logit;
    int32_t id;
  };

  Sampler() = default;
  void PenalizeRepetition(std::span<float> logits, std::span<const int32_t> history);
  void PenalizeCounts(std::span<float> logits, std::span<const int32_t> answer);
  void ForbidNgrams(std::span<float> logits, std::span<const int32_t> answer) const;
  std::span<Candidate> KeepTopKAndP(std::span<Candidate> all) const;
  int32_t Draw(std::span<const Candidate> kept);
  uint64_t NextRandom();

  SamplingOptions options_;
  size_t vocabulary_ = 0;
  size_t prompt_tokens_ = 0;
  uint64_t random_state_ = 0;
  AlignedBuffer<Candidate> candidates_;  // empty when greedy
  // one bit an id, all 0 between calls; empty without a repetition penalty
  AlignedBuffer<uint64_t> seen_;
  // how often the answer has each id, all 0 between calls; empty without a penalty on counts
  AlignedBuffer<uint32_t> counts_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_SAMPLER_H_
