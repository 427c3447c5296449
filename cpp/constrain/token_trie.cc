#include "constrain/token_trie.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

#include "text/utf8.h"

namespace tinyvlm {

namespace {

size_t CountChars(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xc0) != 0x80;
  }));
}

// The smallest class that all characters of a token are of; none for other tokens, as for those of
// parts of characters.
std::optional<CharClass> ClassOf(std::string_view bytes) {
  if (!IsValidUtf8(bytes)) return std::nullopt;
  for (const std::string_view line_end : {"\u2028", "\u2029"}) {
    if (bytes.find(line_end) != std::string_view::npos) return std::nullopt;
  }
  for (size_t i = 0; i < kCharClasses; ++i) {
    const CharClass chars = static_cast<CharClass>(i);
    const auto fits = [&](char c) {
      const uint8_t byte = static_cast<uint8_t>(c);
      return byte < 0x80 ? InClass(chars, byte) : chars == kStringText;
    };
    if (std::all_of(bytes.begin(), bytes.end(), fits)) return chars;
  }
  return std::nullopt;
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer, size_t count) : size_(count) {
  // A token too long for a node's depth is never chosen.
  constexpr size_t kMaxBytes = std::numeric_limits<uint16_t>::max();
  std::vector<Token> sorted;
  for (size_t i = 0; i < count; ++i) {
    const int32_t id = static_cast<int32_t>(i);
    const std::string_view bytes = tokenizer.TokenBytes(id);
    if (!bytes.empty() && bytes.size() < kMaxBytes) sorted.push_back({bytes, id});
  }
  std::sort(sorted.begin(), sorted.end(), [](const Token& a, const Token& b) {
    return a.bytes < b.bytes || (a.bytes == b.bytes && a.id < b.id);
  });
  std::array<std::vector<Token>, kCharClasses> of_class;
  std::vector<Token> rest;
  for (const Token& token : sorted) {
    const std::optional<CharClass> chars = ClassOf(token.bytes);
    const bool together = chars && CountChars(token.bytes) <= kMaxChars;
    (together ? of_class[*chars] : rest).push_back(token);
  }
  std::vector<uint8_t> all(count, 0);
  for (size_t i = 0; i < kCharClasses; ++i) {
    classes_[i] = MakeClassPart(of_class[i]);
    for (const Token& token : of_class[i]) all[static_cast<size_t>(token.id)] = 1;
    classes_[i].all = all;
  }
  rest_ = MakePart(rest);
}

TokenTrie::Part TokenTrie::MakePart(const std::vector<Token>& sorted) {
  Part part;
  std::vector<uint32_t> open;  // the nodes of the last token's bytes
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back())
      part.nodes[open.back()].end = static_cast<uint32_t>(part.nodes.size());
  };
  part.tokens.reserve(sorted.size());
  std::string_view last;
  for (const Token& token : sorted) {
    const auto ends =
        std::mismatch(token.bytes.begin(), token.bytes.end(), last.begin(), last.end());
    const size_t shared = static_cast<size_t>(ends.first - token.bytes.begin());
    close(shared);
    for (size_t depth = shared; depth < token.bytes.size(); ++depth) {
      open.push_back(static_cast<uint32_t>(part.nodes.size()));
      part.nodes.push_back({static_cast<uint8_t>(token.bytes[depth]), static_cast<uint16_t>(depth),
                            0, static_cast<uint32_t>(part.tokens.size())});
    }
    part.tokens.push_back(token.id);
    part.max_depth = std::max(part.max_depth, token.bytes.size());
    last = token.bytes;
  }
  close(0);
  part.nodes.push_back({0, 0, 0, static_cast<uint32_t>(part.tokens.size())});
  part.nodes.shrink_to_fit();
  return part;
}

TokenTrie::ClassPart TokenTrie::MakeClassPart(const std::vector<Token>& sorted) {
  ClassPart part{MakePart(sorted), {}, {}, {}};
  std::array<std::vector<int32_t>, kMaxChars + 1> of_length;
  for (const Token& token : sorted) of_length[CountChars(token.bytes)].push_back(token.id);
  part.by_length.reserve(sorted.size());
  for (size_t length = 1; length <= kMaxChars; ++length) {
    std::vector<int32_t>& ids = of_length[length];
    std::sort(ids.begin(), ids.end());  // masks are written front to back
    part.by_length.insert(part.by_length.end(), ids.begin(), ids.end());
    part.up_to[length] = static_cast<uint32_t>(part.by_length.size());
  }
  return part;
}

size_t TokenTrie::Mark(Matcher& matcher, Matcher::Set set, std::span<uint8_t> allowed) const {
  size_t looked_at = Walk(rest_, matcher, set, allowed);
  // How many characters of a class can follow, whichever they are, up to kMaxChars; none where the
  // text distinguishes between them. What holds for a class holds for the smaller ones in it.
  std::optional<size_t> room;
  for (size_t i = kCharClasses; i-- > 0;) {
    if (!room) {
      room = 0;
      for (Matcher::Set at = set; *room < kMaxChars; ++*room) {
        at = matcher.Next(at, static_cast<CharClass>(i));
        if (at == Matcher::kNone) break;
        if (at == Matcher::kMixed) {
          room.reset();
          break;
        }
      }
    }
    const ClassPart& part = classes_[i];
    if (!room) {
      looked_at += Walk(part, matcher, set, allowed);
      continue;
    }
    // The usual case in mid-text: writing the ids one by one takes ten times as long.
    if (*room == kMaxChars) {
      std::transform(part.all.begin(), part.all.end(), allowed.begin(), allowed.begin(),
                     [](uint8_t one, uint8_t before) -> uint8_t { return one | before; });
      return looked_at;
    }
    for (size_t token = 0; token < part.up_to[*room]; ++token)
      allowed[static_cast<size_t>(part.by_length[token])] = 1;
    looked_at += part.up_to[*room];
  }
  return looked_at;
}

size_t TokenTrie::Walk(const Part& part, Matcher& matcher, Matcher::Set set,
                       std::span<uint8_t> allowed) {
  std::vector<Matcher::Set> sets(part.max_depth + 1);  // sets[depth]: behind so many bytes
  sets[0] = set;
  const size_t end = part.nodes.size() - 1;
  size_t looked_at = 0;
  for (size_t i = 0; i < end; ++looked_at) {
    const Node& node = part.nodes[i];
    const Matcher::Set next = matcher.Next(sets[node.depth], node.byte);
    if (next == Matcher::kNone) {
      i = node.end;
      continue;
    }
    sets[size_t{node.depth} + 1] = next;
    for (uint32_t token = node.first_token; token < part.nodes[i + 1].first_token; ++token)
      allowed[static_cast<size_t>(part.tokens[token])] = 1;
    ++i;
  }
  return looked_at;
}

size_t TokenTrie::memory_bytes() const {
  const auto bytes = [](const Part& part) {
    return part.nodes.size() * sizeof(Node) + part.tokens.size() * sizeof(int32_t);
  };
  size_t total = bytes(rest_);
  for (const ClassPart& part : classes_)
    total += bytes(part) + part.by_length.size() * sizeof(int32_t) + part.all.size();
  return total;
}

}  // namespace tinyvlm
