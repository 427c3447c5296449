// Log probabilities of an answer's tokens.
#ifndef TINYVLM_ENGINE_LOGPROBS_H_
#define TINYVLM_ENGINE_LOGPROBS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;  // natural logarithm; at least kLeastLogprob
};

// What a token has whose probability is nearly or quite 0: JSON has no infinity.
inline constexpr float kLeastLogprob = -9999;

// Of the distribution that the logits are: their softmax over all ids that can be chosen, whatever
// the sampler does to them.
class Logprobs {
 public:
  // Begins an answer of up to `max_tokens` tokens; `top` of the most probable ones are kept beside
  // each. A negative `top`: nothing is kept. Allocates all memory. Errors: out_of_memory.
  Status Start(int32_t top, size_t vocabulary, size_t max_tokens);

  bool wanted() const { return top_ >= 0; }

  // The logits from which the next token is chosen, before the sampler changes them.
  void Read(std::span<const float> logits);

  // The token that was chosen from them. Without this call they are not kept.
  void Add(int32_t id);

  size_t tokens() const { return chosen_.size(); }
  TokenLogprob chosen(size_t index) const { return chosen_[index]; }

  // The most probable ones in its place, best first; of equal ones the lower id.
  std::span<const TokenLogprob> top(size_t index) const {
    return std::span(best_).subspan(index * kept_, kept_);
  }

 private:
  float Of(float logit) const;

  int32_t top_ = -1;
  size_t kept_ = 0;  // of the best: top_, or the vocabulary where that is smaller
  AlignedBuffer<float> logits_;
  size_t count_ = 0;     // of them
  float log_total_ = 0;  // logarithm of the sum of their exponentials
  std::vector<TokenLogprob> chosen_;
  std::vector<TokenLogprob> best_;  // [tokens, kept_]
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_LOGPROBS_H_
