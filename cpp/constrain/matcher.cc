#include "constrain/matcher.h"

#include <algorithm>
#include <unordered_set>

namespace tinyvlm {

Matcher::Matcher(std::shared_ptr<const Grammar> grammar) : grammar_(std::move(grammar)) { Clear(); }

void Matcher::Clear() {
  sets_.clear();
  numbers_.clear();
  stacks_.assign(1, Place());
  stack_numbers_.clear();
  place_count_ = 0;
  full_ = false;
  sets_.emplace_back();  // kNone
  start_ = Close({{grammar_->start(0), 0}});
}

Matcher::Stack Matcher::Push(Grammar::State return_to, Stack rest) {
  // A call that is the last thing its rule does returns where the rule itself would: chains stay as
  // short as texts are deep.
  if (grammar_->is_end(return_to)) return rest;
  const auto [found, added] =
      stack_numbers_.try_emplace(Place(return_to, rest), static_cast<Stack>(stacks_.size()));
  if (added) stacks_.emplace_back(return_to, rest);
  return found->second;
}

Matcher::Set Matcher::Close(std::vector<Place> places) {
  std::unordered_set<Place, PlaceHash> seen(places.begin(), places.end());
  SetData data;
  const auto add = [&](Grammar::State state, Stack stack) {
    const Place place(state, stack);
    if (seen.insert(place).second) places.push_back(place);
  };
  for (size_t i = 0; i < places.size(); ++i) {
    if (++work_ > kMaxWork || stacks_.size() > kMaxStacks) {
      full_ = true;
      return kNone;
    }
    const auto [state, stack] = places[i];
    if (grammar_->is_end(state)) {
      if (stack == 0) {
        data.accepts = true;
      } else {
        const Place outer = stacks_[stack];
        add(outer.first, outer.second);
      }
    }
    bool takes_byte = false;
    for (const Grammar::Edge& edge : grammar_->edges(state)) {
      switch (edge.kind) {
        case Grammar::Edge::kBytes:
          takes_byte = true;
          break;
        case Grammar::Edge::kEmpty:
          add(edge.to, stack);
          break;
        case Grammar::Edge::kCall:
          add(grammar_->start(edge.rule), Push(edge.to, stack));
          break;
      }
    }
    if (takes_byte) data.places.push_back(places[i]);
  }
  if (data.places.empty() && !data.accepts) return kNone;
  std::sort(data.places.begin(), data.places.end());
  return Number(std::move(data));
}

Matcher::Set Matcher::Number(SetData data) {
  size_t hash = data.accepts ? 1 : 0;
  for (const Place& place : data.places) hash = hash * 31 + PlaceHash()(place);
  const auto [begin, end] = numbers_.equal_range(hash);
  for (auto i = begin; i != end; ++i) {
    const SetData& known = sets_[i->second];
    if (known.accepts == data.accepts && known.places == data.places) return i->second;
  }
  if (sets_.size() >= kMaxSets || place_count_ + data.places.size() > kMaxPlaces) {
    full_ = true;
    return kNone;
  }
  place_count_ += data.places.size();
  const Set number = static_cast<Set>(sets_.size());
  sets_.push_back(std::move(data));
  numbers_.emplace(hash, number);
  return number;
}

Matcher::Set Matcher::Find(Set set, uint8_t byte) {
  if (full_) return kNone;
  if (sets_[set].next == nullptr) {
    sets_[set].next = std::make_unique<std::array<int32_t, 256>>();
    sets_[set].next->fill(kUnknown);
  }
  std::vector<Place> places;
  work_ += sets_[set].places.size();
  for (const auto& [state, stack] : sets_[set].places) {
    for (const Grammar::Edge& edge : grammar_->edges(state)) {
      if (edge.kind == Grammar::Edge::kBytes && edge.first <= byte && byte <= edge.last)
        places.emplace_back(edge.to, stack);
    }
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  const Set next = Close(std::move(places));
  if (!full_) (*sets_[set].next)[byte] = static_cast<int32_t>(next);
  return next;
}

Matcher::Set Matcher::Forget(Set keep) {
  if (keep == start_) {
    Clear();
    return start_;
  }
  // The chains of `keep`, innermost call last.
  SetData data = std::move(sets_[keep]);
  data.next = nullptr;
  const std::vector<Place> stacks = std::move(stacks_);
  Clear();
  for (Place& place : data.places) {
    std::vector<Grammar::State> returns;
    for (Stack stack = place.second; stack != 0; stack = stacks[stack].second)
      returns.push_back(stacks[stack].first);
    place.second = 0;
    for (; !returns.empty(); returns.pop_back()) place.second = Push(returns.back(), place.second);
  }
  std::sort(data.places.begin(), data.places.end());
  return Number(std::move(data));
}

}  // namespace tinyvlm
