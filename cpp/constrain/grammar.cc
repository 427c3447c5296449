#include "constrain/grammar.h"

#include <utility>

namespace tinyvlm {

Grammar::Rule Grammar::AddRule() {
  const State start = AddState(), end = AddState();
  is_end_[end] = true;
  rules_.push_back({start, end});
  return static_cast<Rule>(rules_.size() - 1);
}

Grammar::State Grammar::AddState() {
  // Past the limit all further states are one, which no edge joins.
  if (states_.size() > kMaxStates) {
    full_ = true;
    return static_cast<State>(states_.size() - 1);
  }
  states_.emplace_back();
  is_end_.push_back(false);
  return static_cast<State>(states_.size() - 1);
}

void Grammar::AddEdge(State from, Edge edge) {
  full_ = full_ || edge_count_ >= kMaxEdges;
  if (full_) return;
  ++edge_count_;
  states_[from].push_back(edge);
}

void Grammar::AddLiteral(State from, std::string_view bytes, State to) {
  for (size_t i = 0; i + 1 < bytes.size() && !full_; ++i) {
    const State next = AddState();
    const uint8_t byte = static_cast<uint8_t>(bytes[i]);
    AddBytes(from, byte, byte, next);
    from = next;
  }
  if (bytes.empty()) {
    AddEmpty(from, to);
  } else {
    const uint8_t byte = static_cast<uint8_t>(bytes.back());
    AddBytes(from, byte, byte, to);
  }
}

Status Grammar::CheckLimits() const {
  if (!full_) return Status();
  return Error(ErrorCode::kInvalidArgument,
               "responseFormat: an automaton of at most %zu states and %zu edges wanted, a larger "
               "one found; shorten the schema or pattern, or lower its counts",
               kMaxStates, kMaxEdges);
}

Status Grammar::Finish() {
  TVLM_RETURN_IF_ERROR(CheckLimits());
  // A state is live where the end of its rule can be reached. Backwards from the ends; a call
  // counts as soon as the start of its rule is live.
  std::vector<std::vector<std::pair<State, uint32_t>>> into(states_.size());  // from, edge
  std::vector<std::vector<std::pair<State, uint32_t>>> callers(rules_.size());
  for (State from = 0; from < states_.size(); ++from) {
    for (uint32_t i = 0; i < states_[from].size(); ++i) {
      const Edge& edge = states_[from][i];
      into[edge.to].emplace_back(from, i);
      if (edge.kind == Edge::kCall) callers[edge.rule].emplace_back(from, i);
    }
  }
  std::vector<bool> live(states_.size());
  std::vector<State> work;
  const auto mark = [&](State state) {
    if (live[state]) return;
    live[state] = true;
    work.push_back(state);
  };
  const auto usable = [&](const Edge& edge) {
    return live[edge.to] && (edge.kind != Edge::kCall || live[rules_[edge.rule].start]);
  };
  std::vector<std::vector<Rule>> starts(states_.size());
  for (Rule rule = 0; rule < rules_.size(); ++rule) {
    starts[rules_[rule].start].push_back(rule);
    mark(rules_[rule].end);
  }
  while (!work.empty()) {
    const State state = work.back();
    work.pop_back();
    for (const auto& [from, i] : into[state]) {
      if (usable(states_[from][i])) mark(from);
    }
    for (const Rule rule : starts[state]) {
      for (const auto& [from, i] : callers[rule]) {
        if (usable(states_[from][i])) mark(from);
      }
    }
  }
  for (std::vector<Edge>& edges : states_)
    std::erase_if(edges, [&](const Edge& edge) { return !usable(edge); });
  if (!live[rules_[0].start]) {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: at least one text that it allows wanted, none found: its parts "
                 "contradict each other");
  }
  return Status();
}

}  // namespace tinyvlm
