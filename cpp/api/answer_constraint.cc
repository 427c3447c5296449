#include "api/answer_constraint.h"

#include <utility>

#include "constrain/response_format.h"
#include "constrain/vocabulary_constraint.h"

namespace tinyvlm {

std::shared_ptr<const TokenTrie> SharedTrie::Get(const Model& model) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (trie_ == nullptr)
    trie_ = std::make_shared<const TokenTrie>(*model.tokenizer(), model.valid_ids());
  return trie_;
}

Result<std::shared_ptr<TokenConstraint>> AnswerConstraints::Get(const Json& response_format,
                                                                const Model& model) {
  if (response_format.is_null()) return std::shared_ptr<TokenConstraint>();
  if (model.tokenizer() == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "responseFormat: a model file with a tokenizer wanted, one without found");
  }
  std::string format;
  AppendJson(response_format, /*sort_keys=*/false, &format);
  if (last_ == nullptr || format != last_format_) {
    TVLM_ASSIGN_OR_RETURN(std::shared_ptr<const Grammar> grammar,
                          ParseResponseFormat(response_format));
    last_ = std::make_shared<VocabularyConstraint>(std::move(grammar), trie_->Get(model),
                                                   *model.tokenizer(), model.stop_ids());
    last_format_ = std::move(format);
  }
  return last_;
}

}  // namespace tinyvlm
