// Makes what restricts an answer of what a request says about it.
#ifndef TINYVLM_API_ANSWER_CONSTRAINT_H_
#define TINYVLM_API_ANSWER_CONSTRAINT_H_

#include <memory>
#include <mutex>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "constrain/token_constraint.h"
#include "constrain/token_trie.h"
#include "engine/model.h"

namespace tinyvlm {

// The vocabulary of a model, made for the first answer that needs it and shared by all sessions.
// Any thread may ask for it.
class SharedTrie {
 public:
  std::shared_ptr<const TokenTrie> Get(const Model& model);

 private:
  std::mutex mutex_;
  std::shared_ptr<const TokenTrie> trie_;
};

// The constraints of one session's answers. The last one is kept with what it has found out, so
// that the same format need not be read again.
class AnswerConstraints {
 public:
  explicit AnswerConstraints(std::shared_ptr<SharedTrie> trie) : trie_(std::move(trie)) {}

  // The constraint for `response_format`; null for null, which is none. It borrows from `model`.
  // Errors: those of ParseResponseFormat; unsupported for a model without a tokenizer.
  Result<std::shared_ptr<TokenConstraint>> Get(const Json& response_format, const Model& model);

  // The next one is made anew: memory ran out while the last one was used.
  void Forget() { last_ = nullptr; }

 private:
  const std::shared_ptr<SharedTrie> trie_;
  std::string last_format_;
  std::shared_ptr<TokenConstraint> last_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_API_ANSWER_CONSTRAINT_H_
