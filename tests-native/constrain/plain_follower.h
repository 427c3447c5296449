// The definition that constrain/matcher.h and token_trie.h are held against: a grammar followed
// with every place and its whole stack of calls, nothing remembered, nothing shared.
#ifndef TINYVLM_TESTS_CONSTRAIN_PLAIN_FOLLOWER_H_
#define TINYVLM_TESTS_CONSTRAIN_PLAIN_FOLLOWER_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "constrain/grammar.h"

namespace tinyvlm {

class PlainFollower {
 public:
  // Where in the grammar one may be, the innermost call's return last.
  using Place = std::pair<Grammar::State, std::vector<Grammar::State>>;
  using Places = std::set<Place>;

  // The grammar must be finished.
  explicit PlainFollower(std::shared_ptr<const Grammar> grammar) : grammar_(std::move(grammar)) {}

  Places start() const { return Close({{grammar_->start(0), {}}}); }

  // Empty where the byte cannot follow.
  Places Next(const Places& places, uint8_t byte) const {
    Places next;
    for (const auto& [state, returns] : places) {
      for (const Grammar::Edge& edge : grammar_->edges(state)) {
        if (edge.kind == Grammar::Edge::kBytes && edge.first <= byte && byte <= edge.last)
          next.emplace(edge.to, returns);
      }
    }
    return Close(std::move(next));
  }

  Places Next(Places places, std::string_view bytes) const {
    for (const char byte : bytes) places = Next(places, static_cast<uint8_t>(byte));
    return places;
  }

  bool accepts(const Places& places) const { return places.contains({grammar_->end(0), {}}); }

 private:
  Places Close(Places places) const {
    std::vector<Place> work(places.begin(), places.end());
    const auto add = [&](Place place) {
      if (places.insert(place).second) work.push_back(std::move(place));
    };
    while (!work.empty()) {
      const Place place = std::move(work.back());
      work.pop_back();
      const auto& [state, returns] = place;
      if (grammar_->is_end(state) && !returns.empty())
        add({returns.back(), {returns.begin(), returns.end() - 1}});
      for (const Grammar::Edge& edge : grammar_->edges(state)) {
        if (edge.kind == Grammar::Edge::kEmpty) add({edge.to, returns});
        if (edge.kind == Grammar::Edge::kCall) {
          std::vector<Grammar::State> inner = returns;
          inner.push_back(edge.to);
          add({grammar_->start(edge.rule), std::move(inner)});
        }
      }
    }
    return places;
  }

  const std::shared_ptr<const Grammar> grammar_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONSTRAIN_PLAIN_FOLLOWER_H_
