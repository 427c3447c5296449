#include "backend/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Sampler Make(const SamplingOptions& options, size_t vocabulary) {
  Result<Sampler> sampler = Sampler::Create(options, vocabulary);
  REQUIRE(sampler.ok());
  return std::move(*sampler);
}

// How often each id is drawn in `draws` draws.
std::vector<size_t> Histogram(const SamplingOptions& options, const std::vector<float>& logits,
                              size_t draws, const std::vector<uint8_t>& allowed = {}) {
  Sampler sampler = Make(options, logits.size());
  std::vector<size_t> counts(logits.size());
  for (size_t i = 0; i < draws; ++i) {
    std::vector<float> copy = logits;
    const int32_t id = sampler.Sample(copy, copy.size(), {}, allowed);
    REQUIRE(id >= 0);
    ++counts.at(static_cast<size_t>(id));
  }
  return counts;
}

// True if the counts fit the probabilities: within 5 standard deviations each, and 0 where the
// probability is 0.
bool Fits(const std::vector<size_t>& counts, std::vector<double> p) {
  const double draws =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), size_t{0}));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (size_t i = 0; i < p.size(); ++i) {
    p[i] /= sum;
    if (p[i] == 0 && counts[i] != 0) return false;
    if (std::abs(static_cast<double>(counts[i]) - draws * p[i]) >
        5 * std::sqrt(draws * p[i] * (1 - p[i])) + 1e-9)
      return false;
  }
  return true;
}

std::vector<float> Logs(const std::vector<double>& p) {
  std::vector<float> logits;
  for (const double x : p) logits.push_back(static_cast<float>(std::log(x) + 3));
  return logits;
}

TEST_CASE("Greedy takes the largest logit, the first of equals", "[engine][sampler]") {
  Sampler sampler = Make({}, 5);
  std::vector<float> logits = {-3, 2, 1, 2, -kInf};
  CHECK(sampler.Sample(logits, 5, {}) == 1);
  std::vector<float> negative = {-3, -2, -2.5};
  CHECK(sampler.Sample(negative, 3, {}) == 1);
}

TEST_CASE("Ids beyond the valid ones and forbidden ids are never chosen", "[engine][sampler]") {
  for (const float temperature : {0.0f, 1.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    Sampler sampler = Make(options, 4);
    std::vector<float> logits = {1, 2, 500, kNan};  // what is masked may be anything
    CHECK(sampler.Sample(logits, 2, {}, std::vector<uint8_t>{1, 0, 1, 1}) == 0);
    CHECK(sampler.Sample(logits, 3, {}, std::vector<uint8_t>{0, 1}) == 1);
    CHECK(sampler.Sample(logits, 0, {}) == Sampler::kNoToken);
    CHECK(sampler.Sample(logits, 3, {}) == 2);
    CHECK(sampler.Sample(std::span<float>(), 9, {}) == Sampler::kNoToken);
    std::vector<float> more(9, 0.0f);
    more[8] = 1000;
    CHECK(sampler.Sample(more, 9, {}) < 4);  // the vocabulary it was made for
  }
}

TEST_CASE("Nothing to choose from is said, not guessed", "[engine][sampler]") {
  for (const float temperature : {0.0f, 0.7f}) {
    SamplingOptions options;
    options.temperature = temperature;
    options.top_k = 2;
    options.top_p = 0.5f;
    options.min_p = 0.1f;
    Sampler sampler = Make(options, 3);
    std::vector<float> none = {-kInf, -kInf, -kInf}, nan = {1, kNan, 2}, infinite = {1, kInf, 2},
                       one = {-kInf, -7, -kInf};
    CHECK(sampler.Sample(none, 3, {}) == Sampler::kNoToken);
    CHECK(sampler.Sample(nan, 3, {}) == Sampler::kNoToken);
    CHECK(sampler.Sample(infinite, 3, {}) == Sampler::kNoToken);
    CHECK(sampler.Sample(one, 3, {}) == 1);
    CHECK(sampler.Sample(one, 3, {}, std::vector<uint8_t>(3, 0)) == Sampler::kNoToken);
  }
}

TEST_CASE("Draws follow the softmax at the temperature", "[engine][sampler]") {
  const std::vector<double> p = {0.4, 0.1, 0.3, 0.15, 0.05};
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    options.seed = 11;
    std::vector<double> expected;
    for (const double x : p)
      expected.push_back(std::pow(x, 1.0 / static_cast<double>(temperature)));
    CHECK(Fits(Histogram(options, Logs(p), 40000), expected));
  }
}

TEST_CASE("Extreme temperatures and logits neither overflow nor divide by zero",
          "[engine][sampler]") {
  SamplingOptions options;
  options.temperature = std::numeric_limits<float>::denorm_min();
  CHECK(Histogram(options, {1e30f, -1e30f, 1.0001e30f}, 100)[2] == 100);
  options.temperature = std::numeric_limits<float>::max();
  CHECK(Fits(Histogram(options, {0, 1, 2, 3}, 40000), {1, 1, 1, 1}));
}

TEST_CASE("Top-k keeps the k best, all where k is larger than the vocabulary",
          "[engine][sampler]") {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.2, 0.1};
  SamplingOptions options;
  options.temperature = 1;
  options.top_k = 2;
  // of equal ones the lower id
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0.2, 0, 0}));
  options.top_k = 1;
  CHECK(Histogram(options, Logs(p), 100)[1] == 100);
  for (const int32_t k : {5, 6, 1000000}) {
    options.top_k = k;
    CHECK(Fits(Histogram(options, Logs(p), 40000), p));
  }
}

TEST_CASE("Top-p keeps the best until their sum is reached", "[engine][sampler]") {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.25, 0.05};
  SamplingOptions options;
  options.temperature = 1;
  options.top_p = 0.6f;
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0, 0.25, 0}));
  options.top_p = 0.7f;
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0.2, 0.25, 0}));
  options.top_p = 0;
  CHECK(Histogram(options, Logs(p), 100)[1] == 100);
  options.top_p = 1;
  CHECK(Fits(Histogram(options, Logs(p), 40000), p));
}

TEST_CASE("Top-p sees what top-k left", "[engine][sampler]") {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.25, 0.05};
  SamplingOptions options;
  options.temperature = 1;
  options.top_k = 3;      // 0.4, 0.25 and 0.2 of 0.85: 0.471, 0.294, 0.235
  options.top_p = 0.75f;  // of the whole distribution this would need the third
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0, 0.25, 0}));
}

TEST_CASE("Min-p keeps what is near enough to the best", "[engine][sampler]") {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.25, 0.05};
  SamplingOptions options;
  options.temperature = 1;
  options.min_p = 0.45f;
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0.2, 0.25, 0}));
  options.min_p = 1;
  CHECK(Histogram(options, Logs(p), 100)[1] == 100);
  options.min_p = 0.45f;
  options.top_k = 2;
  CHECK(Fits(Histogram(options, Logs(p), 40000), {0, 0.4, 0, 0.25, 0}));
}

TEST_CASE("The filters together equal a plain sort", "[engine][sampler]") {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const size_t n = 1 + random() % 60;
    std::vector<float> logits(n);
    // many equal ones
    for (float& x : logits) x = static_cast<float>(static_cast<int>(random() % 24)) * 0.25f;
    SamplingOptions options;
    options.temperature = 0.5f + static_cast<float>(random() % 4) * 0.5f;
    options.top_k = static_cast<int32_t>(random() % 70);
    options.top_p = random() % 2 == 0 ? 1.0f : static_cast<float>(random() % 100) / 100.0f;
    options.min_p = random() % 2 == 0 ? 0.0f : static_cast<float>(random() % 100) / 100.0f;
    options.seed = random();

    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    const double best = static_cast<double>(logits[order[0]]);
    const auto weight = [&](size_t i) {
      return std::exp((static_cast<double>(logits[i]) - best) /
                      static_cast<double>(options.temperature));
    };
    if (options.top_k > 0 && static_cast<size_t>(options.top_k) < order.size())
      order.resize(static_cast<size_t>(options.top_k));
    double total = 0, reached = 0;
    for (const size_t i : order) total += weight(i);
    size_t kept = 0;
    while (kept < order.size() && (kept == 0 || options.top_p == 1 ||
                                   reached < static_cast<double>(options.top_p) * total))
      reached += weight(order[kept++]);
    order.resize(kept);
    std::vector<bool> possible(n);
    for (const size_t i : order) possible[i] = weight(i) >= static_cast<double>(options.min_p);

    const std::vector<size_t> counts = Histogram(options, logits, 400);
    for (size_t i = 0; i < n; ++i) {
      if (counts[i] != 0 && !possible[i]) FAIL("round " << round << ": id " << i << " was drawn");
    }
  }
}

TEST_CASE("The repetition penalty counts a token once and skips what is no token",
          "[engine][sampler]") {
  SamplingOptions options;
  options.repetition_penalty = 2;
  Sampler sampler = Make(options, 100);
  std::vector<float> logits(100, -100.0f);
  logits[0] = 3;
  logits[1] = 2;
  logits[2] = -1;
  logits[70] = 0.5f;
  const std::vector<int32_t> history = {-200, 0, 0, 2, -1, 100, INT32_MAX, 0, 70};
  CHECK(sampler.Sample(logits, 100, history) == 1);
  CHECK(logits[0] == 1.5f);
  CHECK(logits[1] == 2.0f);
  CHECK(logits[2] == -2.0f);
  CHECK(logits[70] == 0.25f);
  logits[0] = 3;
  CHECK(sampler.Sample(logits, 100, {}) == 0);  // nothing is remembered between calls
  CHECK(sampler.Sample(logits, 100, history) == 1);
}

// A random answer of few different tokens, with ids that are none among them.
std::vector<int32_t> RandomAnswer(std::mt19937* random, size_t size, int32_t vocabulary) {
  std::vector<int32_t> answer(size);
  for (int32_t& id : answer) {
    id = static_cast<int32_t>((*random)() % 12);
    if (id == 10) id = -200;
    if (id == 11) id = vocabulary;
  }
  return answer;
}

TEST_CASE("Frequency and presence penalties follow OpenAI's definition, on the answer alone",
          "[engine][sampler]") {
  constexpr int32_t kVocabulary = 9;
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    SamplingOptions options;
    options.frequency_penalty = static_cast<float>(static_cast<int>(random() % 17) - 8) / 4;
    options.presence_penalty = static_cast<float>(static_cast<int>(random() % 17) - 8) / 4;
    Sampler sampler = Make(options, kVocabulary);
    const size_t prompt = random() % 5;
    std::vector<int32_t> history = RandomAnswer(&random, prompt + random() % 20, kVocabulary);
    sampler.BeginAnswer(prompt);
    for (int call = 0; call < 2; ++call) {  // nothing is remembered between calls
      std::vector<float> logits(kVocabulary), expected;
      for (float& x : logits) x = static_cast<float>(random() % 64) / 8 - 4;
      for (int32_t id = 0; id < kVocabulary; ++id) {
        const auto count =
            std::count(history.begin() + static_cast<ptrdiff_t>(prompt), history.end(), id);
        // Eighths and quarters: exact in any order.
        expected.push_back(logits[static_cast<size_t>(id)] -
                           static_cast<float>(count) * options.frequency_penalty -
                           (count > 0 ? options.presence_penalty : 0.0f));
      }
      const int32_t id = sampler.Sample(logits, kVocabulary, history);
      CHECK(logits == expected);
      CHECK(id == static_cast<int32_t>(std::max_element(expected.begin(), expected.end()) -
                                       expected.begin()));
    }
  }
}

TEST_CASE("No n-gram of the answer is made twice, the prompt does not count", "[engine][sampler]") {
  constexpr int32_t kVocabulary = 11;
  std::mt19937 random(4);
  for (int round = 0; round < 400; ++round) {
    SamplingOptions options;
    options.no_repeat_ngram = 1 + static_cast<int32_t>(random() % 4);
    const size_t n = static_cast<size_t>(options.no_repeat_ngram);
    Sampler sampler = Make(options, kVocabulary);
    const size_t prompt = random() % 8;
    const std::vector<int32_t> history = RandomAnswer(&random, prompt + random() % 40, kVocabulary);
    sampler.BeginAnswer(prompt);
    const std::vector<int32_t> answer(history.begin() + static_cast<ptrdiff_t>(prompt),
                                      history.end());
    std::set<std::vector<int32_t>> made;
    for (size_t i = 0; i + n <= answer.size(); ++i)
      made.emplace(answer.begin() + static_cast<ptrdiff_t>(i),
                   answer.begin() + static_cast<ptrdiff_t>(i + n));
    std::vector<float> logits(kVocabulary, 1.0f);
    (void)sampler.Sample(logits, kVocabulary, history);
    for (int32_t id = 0; id < kVocabulary; ++id) {
      bool repeats = false;
      if (answer.size() + 1 >= n) {
        std::vector<int32_t> last(answer.end() - static_cast<ptrdiff_t>(n - 1), answer.end());
        last.push_back(id);
        repeats = made.contains(last);
      }
      CHECK(logits[static_cast<size_t>(id)] == (repeats ? -kInf : 1.0f));
    }
  }
}

TEST_CASE("An answer that would go round in circles leaves them", "[engine][sampler]") {
  const auto answer = [](void (*change)(SamplingOptions*), size_t tokens) {
    SamplingOptions options;
    change(&options);
    Sampler sampler = Make(options, 5);
    std::vector<int32_t> history = {0, 1, 0, 1};  // the prompt's
    sampler.BeginAnswer(history.size());
    while (history.size() < 4 + tokens) {
      // The model alternates between 0 and 1 and would then say 2, 3, 4.
      std::vector<float> logits = {4, 4, 3, 2, 1};
      logits[static_cast<size_t>(history.back() == 0 ? 0 : 1)] -= 0.5f;
      history.push_back(sampler.Sample(logits, 5, history));
    }
    return std::vector<int32_t>(history.begin() + 4, history.end());
  };
  CHECK(answer([](SamplingOptions*) {}, 6) == std::vector<int32_t>{0, 1, 0, 1, 0, 1});
  CHECK(answer([](SamplingOptions* o) { o->no_repeat_ngram = 2; }, 6) ==
        std::vector<int32_t>{0, 1, 0, 0, 2, 0});
  CHECK(answer([](SamplingOptions* o) { o->no_repeat_ngram = 1; }, 5) ==
        std::vector<int32_t>{0, 1, 2, 3, 4});
  CHECK(answer([](SamplingOptions* o) { o->no_repeat_ngram = 1; }, 6).back() ==
        Sampler::kNoToken);  // nothing is left
  CHECK(answer([](SamplingOptions* o) { o->presence_penalty = 1.75f; }, 4) ==
        std::vector<int32_t>{0, 1, 2, 0});
  CHECK(answer([](SamplingOptions* o) { o->frequency_penalty = 1; }, 6) ==
        std::vector<int32_t>{0, 1, 0, 1, 2, 0});
}

TEST_CASE("Equal seeds give equal draws, these on every machine", "[engine][sampler]") {
  SamplingOptions options;
  options.temperature = 1;
  options.seed = 42;
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 17) * 0.3f;
  const auto draw = [&](uint64_t seed) {
    options.seed = seed;
    Sampler sampler = Make(options, logits.size());
    std::vector<int32_t> ids;
    for (int i = 0; i < 8; ++i) {
      std::vector<float> copy = logits;
      ids.push_back(sampler.Sample(copy, copy.size(), {}));
    }
    return ids;
  };
  CHECK(draw(42) == draw(42));
  CHECK(draw(42) != draw(43));
  CHECK(draw(0) != draw(UINT64_MAX));

  // The generator itself: with equal logits the id is the top bits of its number. SplitMix64 from
  // seed 0 begins with these.
  options.seed = 0;
  Sampler sampler = Make(options, 256);
  for (const uint64_t number : {0xE220A8397B1DCDAFull, 0x6E789E6AA1B965F4ull, 0x06C45D188009454Full,
                                0xF88BB8A8724C81ECull}) {
    std::vector<float> equal(256, 1.0f);
    CHECK(sampler.Sample(equal, 256, {}) == static_cast<int32_t>(number >> 56));
  }
}

TEST_CASE("Options out of range are rejected with an error that names them", "[engine][sampler]") {
  const auto refused = [](void (*change)(SamplingOptions*), const std::string& name) {
    SamplingOptions options;
    change(&options);
    const Status status = Sampler::Create(options, 10).status();
    CHECK(status.code() == ErrorCode::kInvalidArgument);
    CHECK(status.message().find(name) == 0);
  };
  refused([](SamplingOptions* o) { o->temperature = kNan; }, "temperature: ");
  refused([](SamplingOptions* o) { o->temperature = -0.1f; }, "temperature: ");
  refused([](SamplingOptions* o) { o->temperature = kInf; }, "temperature: ");
  refused([](SamplingOptions* o) { o->top_k = -1; }, "topK: ");
  refused([](SamplingOptions* o) { o->top_p = kNan; }, "topP: ");
  refused([](SamplingOptions* o) { o->top_p = 1.1f; }, "topP: ");
  refused([](SamplingOptions* o) { o->top_p = -0.1f; }, "topP: ");
  refused([](SamplingOptions* o) { o->min_p = kNan; }, "minP: ");
  refused([](SamplingOptions* o) { o->min_p = 2; }, "minP: ");
  refused([](SamplingOptions* o) { o->frequency_penalty = 2.5f; }, "frequencyPenalty: ");
  refused([](SamplingOptions* o) { o->presence_penalty = kNan; }, "presencePenalty: ");
  refused([](SamplingOptions* o) { o->no_repeat_ngram = -1; }, "noRepeatNgram: ");
  refused([](SamplingOptions* o) { o->repetition_penalty = 0; }, "repetitionPenalty: ");
  refused([](SamplingOptions* o) { o->repetition_penalty = -1; }, "repetitionPenalty: ");
  refused([](SamplingOptions* o) { o->repetition_penalty = kNan; }, "repetitionPenalty: ");
  CHECK(CheckSamplingOptions({}).ok());
}

}  // namespace
}  // namespace tinyvlm
