// A grammar over the tokens of a vocabulary.
#ifndef TINYVLM_CONSTRAIN_VOCABULARY_CONSTRAINT_H_
#define TINYVLM_CONSTRAIN_VOCABULARY_CONSTRAINT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "constrain/grammar.h"
#include "constrain/matcher.h"
#include "constrain/token_constraint.h"
#include "constrain/token_trie.h"
#include "text/tokenizer.h"

namespace tinyvlm {

class VocabularyConstraint : public TokenConstraint {
 public:
  // The grammar is finished; `trie` is of `tokenizer`, which must outlive this; `stop_ids` end an
  // answer, whatever their bytes.
  VocabularyConstraint(std::shared_ptr<const Grammar> grammar,
                       std::shared_ptr<const TokenTrie> trie, const Tokenizer& tokenizer,
                       std::vector<int32_t> stop_ids);

  void Start() override;
  Result<std::span<const uint8_t>> Allowed() override;
  Status Push(int32_t id) override;
  bool complete() const override { return matcher_.accepts(set_) && !matcher_.continues(set_); }

 private:
  // Masks that took longer than this many bytes of tokens to find are kept, the most recent ones.
  static constexpr size_t kCheap = 1024;
  static constexpr size_t kMaxKept = 32;

  void Forget();

  const std::shared_ptr<const TokenTrie> trie_;
  const Tokenizer& tokenizer_;
  const std::vector<int32_t> stop_ids_;
  Matcher matcher_;
  Matcher::Set set_;
  size_t bytes_ = 0;  // of the answer so far
  std::vector<uint8_t> mask_;
  std::unordered_map<Matcher::Set, std::vector<uint8_t>> kept_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_VOCABULARY_CONSTRAINT_H_
