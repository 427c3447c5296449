#include "constrain/token_trie.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace tinyvlm {

TokenTrie::TokenTrie(const Tokenizer& tokenizer, size_t count) : size_(count) {
  // A token too long for a node's depth is never chosen.
  constexpr size_t kMaxBytes = std::numeric_limits<uint16_t>::max();
  struct Token {
    std::string_view bytes;
    int32_t id;
  };
  std::vector<Token> sorted;
  for (size_t i = 0; i < count; ++i) {
    const int32_t id = static_cast<int32_t>(i);
    const std::string_view bytes = tokenizer.TokenBytes(id);
    if (!bytes.empty() && bytes.size() < kMaxBytes) sorted.push_back({bytes, id});
  }
  std::sort(sorted.begin(), sorted.end(), [](const Token& a, const Token& b) {
    return a.bytes < b.bytes || (a.bytes == b.bytes && a.id < b.id);
  });
  std::vector<uint32_t> open;  // the nodes of the last token's bytes
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back())
      nodes_[open.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  tokens_.reserve(sorted.size());
  std::string_view last;
  for (const Token& token : sorted) {
    const auto ends =
        std::mismatch(token.bytes.begin(), token.bytes.end(), last.begin(), last.end());
    const size_t shared = static_cast<size_t>(ends.first - token.bytes.begin());
    close(shared);
    for (size_t depth = shared; depth < token.bytes.size(); ++depth) {
      open.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({static_cast<uint8_t>(token.bytes[depth]), static_cast<uint16_t>(depth), 0,
                        static_cast<uint32_t>(tokens_.size())});
    }
    tokens_.push_back(token.id);
    max_depth_ = std::max(max_depth_, token.bytes.size());
    last = token.bytes;
  }
  close(0);
  nodes_.push_back({0, 0, 0, static_cast<uint32_t>(tokens_.size())});
  nodes_.shrink_to_fit();
}

size_t TokenTrie::Mark(Matcher& matcher, Matcher::Set set, std::span<uint8_t> allowed) const {
  std::vector<Matcher::Set> sets(max_depth_ + 1);  // sets[depth]: behind so many bytes
  sets[0] = set;
  const size_t end = nodes_.size() - 1;
  size_t looked_at = 0;
  for (size_t i = 0; i < end; ++looked_at) {
    const Node& node = nodes_[i];
    const Matcher::Set next = matcher.Next(sets[node.depth], node.byte);
    if (next == Matcher::kNone) {
      i = node.end;
      continue;
    }
    sets[size_t{node.depth} + 1] = next;
    for (uint32_t token = node.first_token; token < nodes_[i + 1].first_token; ++token)
      allowed[static_cast<size_t>(tokens_[token])] = 1;
    ++i;
  }
  return looked_at;
}

size_t TokenTrie::memory_bytes() const {
  return nodes_.size() * sizeof(Node) + tokens_.size() * sizeof(int32_t);
}

}  // namespace tinyvlm
