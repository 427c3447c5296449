#include "constrain/vocabulary_constraint.h"

#include <algorithm>

namespace tinyvlm {

namespace {

Status TooAmbiguous() {
  return Error(ErrorCode::kUnsupported,
               "responseFormat: the answer can be read in too many ways at once; make the schema's "
               "alternatives or the pattern's parts easier to tell apart");
}

}  // namespace

VocabularyConstraint::VocabularyConstraint(std::shared_ptr<const Grammar> grammar,
                                           std::shared_ptr<const TokenTrie> trie,
                                           const Tokenizer& tokenizer,
                                           std::vector<int32_t> stop_ids)
    : trie_(std::move(trie)),
      tokenizer_(tokenizer),
      stop_ids_(std::move(stop_ids)),
      matcher_(std::move(grammar)),
      set_(matcher_.start()) {}

void VocabularyConstraint::Start() {
  if (matcher_.full()) Forget();
  set_ = matcher_.start();
  bytes_ = 0;
}

Result<std::span<const uint8_t>> VocabularyConstraint::Allowed() {
  matcher_.BeginStep();
  if (matcher_.crowded()) Forget();
  const auto known = kept_.find(set_);
  if (known != kept_.end()) return std::span<const uint8_t>(known->second);
  mask_.assign(trie_->size(), 0);
  const size_t looked_at = trie_->Mark(matcher_, set_, mask_);
  if (matcher_.full()) return TooAmbiguous();
  for (const int32_t id : stop_ids_) {
    if (static_cast<size_t>(id) < mask_.size())
      mask_[static_cast<size_t>(id)] = matcher_.accepts(set_) ? 1 : 0;
  }
  if (std::find(mask_.begin(), mask_.end(), 1) == mask_.end()) {
    return Error(ErrorCode::kUnsupported,
                 "responseFormat: a token that continues the answer after %zu bytes wanted, none "
                 "found in this model's vocabulary",
                 bytes_);
  }
  if (looked_at <= kCheap) return std::span<const uint8_t>(mask_);
  if (kept_.size() >= kMaxKept) kept_.clear();
  return std::span<const uint8_t>(kept_[set_] = mask_);
}

Status VocabularyConstraint::Push(int32_t id) {
  matcher_.BeginStep();
  for (const char byte : tokenizer_.TokenBytes(id)) {
    set_ = matcher_.Next(set_, static_cast<uint8_t>(byte));
    ++bytes_;
  }
  return matcher_.full() ? TooAmbiguous() : Status();
}

void VocabularyConstraint::Forget() {
  kept_.clear();
  set_ = matcher_.Forget(set_);
}

}  // namespace tinyvlm
