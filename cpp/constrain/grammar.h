// A set of texts, as rules over bytes: a recursive transition network. Each rule is a
// non-deterministic automaton from its start to its end, and an edge may call a rule, so that texts
// may nest. constrain/matcher.h follows it.
#ifndef TINYVLM_CONSTRAIN_GRAMMAR_H_
#define TINYVLM_CONSTRAIN_GRAMMAR_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

class Grammar {
 public:
  using State = uint32_t;
  using Rule = uint32_t;

  // Larger ones are refused, so that a hostile schema or pattern ends soon.
  static constexpr size_t kMaxStates = size_t{1} << 16;
  static constexpr size_t kMaxEdges = size_t{1} << 19;

  struct Edge {
    enum Kind : uint8_t { kEmpty, kBytes, kCall };
    Kind kind;
    uint8_t first, last;  // kBytes: of the byte, both included
    Rule rule;            // kCall
    State to;
  };

  // ---- building: once a limit is passed nothing is added any more, and Finish fails
  // --------------

  Rule AddRule();
  State AddState();
  void AddEmpty(State from, State to) { AddEdge(from, {Edge::kEmpty, 0, 0, 0, to}); }
  void AddBytes(State from, uint8_t first, uint8_t last, State to) {
    AddEdge(from, {Edge::kBytes, first, last, 0, to});
  }
  void AddCall(State from, Rule rule, State to) { AddEdge(from, {Edge::kCall, 0, 0, rule, to}); }
  void AddLiteral(State from, std::string_view bytes, State to);
  bool full() const { return full_; }

  // invalid_argument once a limit is passed.
  Status CheckLimits() const;

  State start(Rule rule) const { return rules_[rule].start; }
  State end(Rule rule) const { return rules_[rule].end; }

  // Removes edges from which no end can be reached, so that every beginning of a text that a
  // matcher follows can be completed. No rule may call itself before its first byte. Errors:
  // invalid_argument where the limits were passed and where rule 0, the whole, has no texts.
  Status Finish();

  // ---- afterwards
  // --------------------------------------------------------------------------------

  const std::vector<Edge>& edges(State state) const { return states_[state]; }
  bool is_end(State state) const { return is_end_[state]; }
  size_t states() const { return states_.size(); }

 private:
  struct Ends {
    State start, end;
  };

  void AddEdge(State from, Edge edge);

  std::vector<std::vector<Edge>> states_;
  std::vector<bool> is_end_;
  std::vector<Ends> rules_;
  size_t edge_count_ = 0;
  bool full_ = false;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_GRAMMAR_H_
