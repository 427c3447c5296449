#include "backend/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tinyvlm {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Status CheckSamplingOptions(const SamplingOptions& options) {
  SamplingOptions copy = options;
  return VisitOptions(copy,
                      [](const auto& option, auto value) { return CheckOption(option, value); });
}

Result<Sampler> Sampler::Create(const SamplingOptions& options, size_t vocabulary) {
  TVLM_RETURN_IF_ERROR(CheckSamplingOptions(options));
  Sampler sampler;
  sampler.options_ = options;
  sampler.vocabulary_ = vocabulary;
  sampler.random_state_ = options.seed;
  if (options.temperature != 0) {
    TVLM_ASSIGN_OR_RETURN(sampler.candidates_, AlignedBuffer<Candidate>::Allocate(
                                                   vocabulary, "candidates of the sampler"));
  }
  if (options.repetition_penalty != 1) {
    TVLM_ASSIGN_OR_RETURN(sampler.seen_, AlignedBuffer<uint64_t>::Allocate(
                                             (static_cast<uint64_t>(vocabulary) + 63) / 64,
                                             "history of the sampler"));
    std::fill_n(sampler.seen_.data(), sampler.seen_.size(), uint64_t{0});
  }
  if (options.frequency_penalty != 0 || options.presence_penalty != 0) {
    TVLM_ASSIGN_OR_RETURN(sampler.counts_,
                          AlignedBuffer<uint32_t>::Allocate(vocabulary, "counts of the sampler"));
    std::fill_n(sampler.counts_.data(), sampler.counts_.size(), uint32_t{0});
  }
  return sampler;
}

int32_t Sampler::Sample(std::span<float> logits, size_t valid, std::span<const int32_t> history,
                        std::span<const uint8_t> allowed) {
  valid = std::min({valid, logits.size(), vocabulary_});
  if (!allowed.empty()) valid = std::min(valid, allowed.size());
  const std::span<const int32_t> answer = history.subspan(std::min(prompt_tokens_, history.size()));
  if (options_.repetition_penalty != 1) PenalizeRepetition(logits.first(valid), history);
  if (counts_.size() != 0) PenalizeCounts(logits.first(valid), answer);
  if (options_.no_repeat_ngram != 0) ForbidNgrams(logits.first(valid), answer);

  const auto is_candidate = [&](size_t i) {
    return (allowed.empty() || allowed[i] != 0) && logits[i] != -kInfinity;
  };
  // Runs over 150,000 logits per token, nearly all of which fail the first comparison.
  int32_t best = kNoToken;
  float largest = -kInfinity;
  for (size_t i = 0; i < valid; ++i) {
    const float logit = logits[i];
    if (logit <= largest) continue;  // false for NaN
    if (!is_candidate(i)) continue;
    if (std::isnan(logit) || logit == kInfinity) return kNoToken;
    best = static_cast<int32_t>(i);
    largest = logit;
  }
  if (best == kNoToken || options_.temperature == 0) return best;

  // A weight is the probability divided by that of the best token, so nothing overflows whatever
  // the temperature.
  const double best_logit = static_cast<double>(logits[static_cast<size_t>(best)]);
  size_t count = 0;
  for (size_t i = 0; i < valid; ++i) {
    if (!is_candidate(i)) continue;
    const double weight = std::exp((static_cast<double>(logits[i]) - best_logit) /
                                   static_cast<double>(options_.temperature));
    candidates_[count++] = {weight, logits[i], static_cast<int32_t>(i)};
  }
  std::span<Candidate> kept = KeepTopKAndP(std::span(candidates_.data(), count));
  if (options_.min_p > 0) {
    const auto end = std::remove_if(kept.begin(), kept.end(), [&](const Candidate& c) {
      return c.weight < static_cast<double>(options_.min_p);
    });
    kept = kept.first(static_cast<size_t>(end - kept.begin()));
  }
  return Draw(kept);
}

void Sampler::PenalizeRepetition(std::span<float> logits, std::span<const int32_t> history) {
  for (const int32_t id : history) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
    const size_t i = static_cast<size_t>(id);
    const uint64_t bit = uint64_t{1} << (i % 64);
    if ((seen_[i / 64] & bit) != 0) continue;  // penalised once, however often it occurs
    seen_[i / 64] |= bit;
    logits[i] = logits[i] > 0 ? logits[i] / options_.repetition_penalty
                              : logits[i] * options_.repetition_penalty;
  }
  for (const int32_t id : history) {
    if (id >= 0 && static_cast<size_t>(id) < logits.size()) seen_[static_cast<size_t>(id) / 64] = 0;
  }
}

// OpenAI's definition: logit - count * frequency - (count > 0) * presence.
void Sampler::PenalizeCounts(std::span<float> logits, std::span<const int32_t> answer) {
  const auto is_token = [&](int32_t id) {
    return id >= 0 && static_cast<size_t>(id) < logits.size();
  };
  for (const int32_t id : answer) {
    if (is_token(id)) ++counts_[static_cast<size_t>(id)];
  }
  for (const int32_t id : answer) {
    if (!is_token(id)) continue;
    const size_t i = static_cast<size_t>(id);
    const uint32_t count = std::exchange(counts_[i], 0);
    if (count == 0) continue;  // subtracted already
    logits[i] -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
  }
}

// A token is forbidden where the answer's last n - 1 tokens and it are an n-gram that the answer
// has already.
void Sampler::ForbidNgrams(std::span<float> logits, std::span<const int32_t> answer) const {
  const size_t n = static_cast<size_t>(options_.no_repeat_ngram);
  if (answer.size() < n) return;
  const std::span<const int32_t> last = answer.last(n - 1);
  for (size_t i = 0; i + n <= answer.size(); ++i) {
    const int32_t next = answer[i + n - 1];
    if (next < 0 || static_cast<size_t>(next) >= logits.size()) continue;
    if (std::equal(last.begin(), last.end(), answer.begin() + static_cast<ptrdiff_t>(i)))
      logits[static_cast<size_t>(next)] = -kInfinity;
  }
}

std::span<Sampler::Candidate> Sampler::KeepTopKAndP(std::span<Candidate> all) const {
  const bool by_k = options_.top_k > 0 && static_cast<size_t>(options_.top_k) < all.size();
  const bool by_p = options_.top_p < 1;
  if (!by_k && !by_p) return all;
  // A heap gives the best ones in order without sorting the rest: usually a few dozen of 150,000.
  // Popped candidates gather at the end, best last. The order is total, so what is kept, and in
  // which order, is the same with every standard library.
  const auto worse = [](const Candidate& a, const Candidate& b) {
    return a.logit < b.logit || (a.logit == b.logit && a.id > b.id);
  };
  const auto sum = [](std::span<const Candidate> candidates) {
    double total = 0;
    for (const Candidate& c : candidates) total += c.weight;
    return total;
  };
  const double p = static_cast<double>(options_.top_p);
  double wanted = by_k ? 0 : p * sum(all);
  std::make_heap(all.begin(), all.end(), worse);
  size_t count = 0;
  double reached = 0;
  do {
    std::pop_heap(all.begin(), all.end() - static_cast<ptrdiff_t>(count), worse);
    ++count;
    reached += all[all.size() - count].weight;
  } while (count < all.size() &&
           (by_k ? count < static_cast<size_t>(options_.top_k) : reached < wanted));
  std::span<Candidate> kept = all.last(count);
  if (!by_k || !by_p) return kept;
  // Top-p of what top-k left.
  wanted = p * sum(kept);
  reached = 0;
  count = 0;
  do {
    ++count;
    reached += kept[kept.size() - count].weight;
  } while (count < kept.size() && reached < wanted);
  return kept.last(count);
}

int32_t Sampler::Draw(std::span<const Candidate> kept) {
  double total = 0;
  for (const Candidate& c : kept) total += c.weight;
  // 53 bits, all that a double in [0, 1) holds.
  const double target = static_cast<double>(NextRandom() >> 11) * 0x1p-53 * total;
  double reached = 0;
  // the last one with a weight: drawn where rounding makes target reach the sum
  int32_t last = kNoToken;
  for (const Candidate& c : kept) {
    if (c.weight == 0) continue;
    reached += c.weight;
    last = c.id;
    if (reached > target) break;
  }
  return last;
}

// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixing function; any seed is a good one.
uint64_t Sampler::NextRandom() {
  random_state_ += 0x9E3779B97F4A7C15u;
  uint64_t x = random_state_;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace tinyvlm
