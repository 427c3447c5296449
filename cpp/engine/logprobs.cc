#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>

namespace tinyvlm {

Status Logprobs::Start(int32_t top, size_t vocabulary, size_t max_tokens) {
  top_ = top;
  chosen_.clear();
  best_.clear();
  if (!wanted()) return Status();
  kept_ = std::min(static_cast<size_t>(top), vocabulary);
  chosen_.reserve(max_tokens);
  best_.reserve(max_tokens * kept_);
  if (logits_.size() < vocabulary) {
    TVLM_ASSIGN_OR_RETURN(logits_, AlignedBuffer<float>::Allocate(vocabulary, "log probabilities"));
  }
  return Status();
}

void Logprobs::Read(std::span<const float> logits) {
  count_ = std::min(logits.size(), logits_.size());
  std::copy_n(logits.begin(), count_, logits_.data());
  const float largest = *std::max_element(logits_.data(), logits_.data() + count_);
  double total = 0;
  for (size_t i = 0; i < count_; ++i)
    total += std::exp(static_cast<double>(logits_[i]) - static_cast<double>(largest));
  log_total_ = largest + static_cast<float>(std::log(total));
}

float Logprobs::Of(float logit) const { return std::max(logit - log_total_, kLeastLogprob); }

void Logprobs::Add(int32_t id) {
  chosen_.push_back({id, Of(logits_[static_cast<size_t>(id)])});
  // The best so far in order: nearly every logit fails the first comparison.
  const size_t begin = best_.size();
  for (size_t i = 0; i < count_ && kept_ > 0; ++i) {
    const bool full = best_.size() - begin == kept_;
    if (full && logits_[i] <= logits_[static_cast<size_t>(best_.back().id)]) continue;
    if (full) best_.pop_back();
    const auto place = std::find_if(best_.begin() + static_cast<ptrdiff_t>(begin), best_.end(),
                                    [&](const TokenLogprob& other) {
                                      return logits_[i] > logits_[static_cast<size_t>(other.id)];
                                    });
    best_.insert(place, {static_cast<int32_t>(i), Of(logits_[i])});
  }
}

}  // namespace tinyvlm
