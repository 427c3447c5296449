#include "constrain/matcher.h"

#include <algorithm>
#include <iterator>

namespace tinyvlm {

bool Matcher::SeenPlaces::Insert(const Place& place) {
  if (2 * ++count_ > slots_.size()) {
    std::vector<Slot> larger(2 * slots_.size());
    std::swap(slots_, larger);
    count_ = 1;
    for (const Slot& slot : larger) {
      if (slot.round == round_) Insert(slot.place);
    }
  }
  for (size_t at = PlaceHash()(place);; ++at) {
    Slot& slot = slots_[at & (slots_.size() - 1)];
    if (slot.round != round_) {
      slot = {place, round_};
      return true;
    }
    if (slot.place == place) {
      --count_;
      return false;
    }
  }
}

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
  seen_.Clear();
  std::erase_if(places, [&](const Place& place) { return !seen_.Insert(place); });
  SetData data;
  const auto add = [&](Grammar::State state, Stack stack) {
    const Place place(state, stack);
    if (seen_.Insert(place)) places.push_back(place);
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
  // Bytes around this one that the same edges take lead to the same set.
  size_t first = 0, last = 255;
  std::vector<Place> places;
  work_ += sets_[set].places.size();
  for (const auto& [state, stack] : sets_[set].places) {
    for (const Grammar::Edge& edge : grammar_->edges(state)) {
      if (edge.kind != Grammar::Edge::kBytes) continue;
      if (edge.last < byte) {
        first = std::max(first, size_t{edge.last} + 1);
      } else if (edge.first > byte) {
        last = std::min(last, size_t{edge.first} - 1);
      } else {
        first = std::max(first, size_t{edge.first});
        last = std::min(last, size_t{edge.last});
        places.emplace_back(edge.to, stack);
      }
    }
  }
  const Set next = Close(std::move(places));
  if (!full_) {
    std::array<int32_t, 256>& table = *sets_[set].next;
    std::fill(table.begin() + static_cast<ptrdiff_t>(first),
              table.begin() + static_cast<ptrdiff_t>(last) + 1, static_cast<int32_t>(next));
  }
  return next;
}

Matcher::Set Matcher::Find(Set set, CharClass chars) {
  Set all = kUnasked;
  for (uint8_t byte = 0; byte < 0x80 && all != kMixed; ++byte) {
    if (!InClass(chars, byte)) continue;
    const Set next = Next(set, byte);
    all = all == kUnasked || all == next ? next : kMixed;
  }
  if (chars == kStringText && all != kMixed && !OthersLeadTo(set, all)) all = kMixed;
  if (!full_) sets_[set].behind[chars] = all;
  return all;
}

bool Matcher::OthersLeadTo(Set set, Set to) {
  // The one set behind the bytes of a range; kMixed where there are several.
  const auto behind = [&](Set from, size_t first, size_t last) {
    const Set next = Next(from, static_cast<uint8_t>(first));
    for (size_t byte = first + 1; byte <= last; ++byte) {
      if (Next(from, static_cast<uint8_t>(byte)) != next) return kMixed;
    }
    return next;
  };
  return std::all_of(std::begin(kStringTextRows), std::end(kStringTextRows), [&](const auto& row) {
    Set next = behind(set, row.first, row.last_first);
    if (next != kMixed) next = behind(next, row.second, row.last_second);
    if (next != kMixed && row.third != 0) next = behind(next, row.third, row.last_third);
    if (next != kMixed && row.fourth != 0) next = behind(next, row.fourth, row.last_fourth);
    return next == to;
  });
}

Matcher::Set Matcher::Forget(Set keep) {
  if (keep == start_) {
    Clear();
    return start_;
  }
  // The chains of `keep`, innermost call last.
  SetData data = std::move(sets_[keep]);
  data.next = nullptr;
  data.behind.fill(kUnasked);
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
