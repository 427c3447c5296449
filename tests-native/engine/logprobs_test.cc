#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("Log probabilities are those of a softmax, the best ones in order",
          "[engine][logprobs]") {
  std::mt19937 random(2);
  for (const size_t vocabulary : {size_t{1}, size_t{3}, size_t{300}}) {
    for (const int32_t top : {0, 1, 5, 20}) {
      Logprobs logprobs;
      REQUIRE(logprobs.Start(top, vocabulary, 4).ok());
      for (size_t token = 0; token < 4; ++token) {
        std::vector<float> logits(vocabulary);
        // Quarters, so that some are equal.
        for (float& logit : logits) logit = static_cast<float>(random() % 200) / 4 - 900;
        if (token == 3) logits[0] = -std::numeric_limits<float>::infinity();
        const int32_t id = static_cast<int32_t>(random() % vocabulary);
        std::vector<float> more = logits;  // ids that have no token do not count
        more.push_back(1e9f);
        logprobs.Read(more);
        logprobs.Add(id);

        if (vocabulary == 1 && token == 3) continue;  // nothing that could be chosen
        double total = 0;
        for (const float logit : logits) total += std::exp(static_cast<double>(logit) + 900);
        const auto right = [&](size_t i) {
          const double logprob = static_cast<double>(logits[i]) + 900 - std::log(total);
          return std::max(logprob, -9999.0);
        };
        const auto close = [](double value) { return Catch::Matchers::WithinAbs(value, 2e-4); };
        CHECK(logprobs.chosen(token).id == id);
        CHECK_THAT(logprobs.chosen(token).logprob, close(right(static_cast<size_t>(id))));
        std::vector<size_t> order(vocabulary);
        for (size_t i = 0; i < vocabulary; ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return logits[a] > logits[b]; });
        const auto best = logprobs.top(token);
        REQUIRE(best.size() == std::min(static_cast<size_t>(top), vocabulary));
        for (size_t i = 0; i < best.size(); ++i) {
          CHECK(best[i].id == static_cast<int32_t>(order[i]));
          CHECK_THAT(best[i].logprob, close(right(order[i])));
        }
      }
      CHECK(logprobs.tokens() == 4);
    }
  }
}

TEST_CASE("Without a number nothing is kept", "[engine][logprobs]") {
  Logprobs logprobs;
  REQUIRE(logprobs.Start(3, 10, 5).ok());
  logprobs.Read(std::vector<float>(10));
  logprobs.Add(1);
  REQUIRE(logprobs.Start(-1, 10, 5).ok());
  CHECK_FALSE(logprobs.wanted());
  CHECK(logprobs.tokens() == 0);
}

}  // namespace
}  // namespace tinyvlm
