#include "text/detokenizer.h"

#include <algorithm>

#include "text/utf8.h"

namespace tinyvlm {

Detokenizer::Detokenizer(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

Status Detokenizer::Start(std::span<const std::string> stop, size_t max_tokens, bool strip) {
  Clear();
  strip_ = strip;
  stops_.clear();
  for (const std::string& text : stop) {
    if (text.empty())
      return Error(ErrorCode::kInvalidArgument,
                   "stop: a string of at least one character wanted, an empty one found");
    if (!IsValidUtf8(text))
      return Error(ErrorCode::kInvalidArgument, "stop: a stop string is not valid UTF-8");
    Stop& s = stops_.emplace_back();
    s.text = text;
    s.fallback.assign(text.size() + 1, 0);
    for (size_t i = 1, k = 0; i < text.size(); ++i) {
      while (k > 0 && text[i] != text[k]) k = s.fallback[k];
      if (text[i] == text[k]) ++k;
      s.fallback[i + 1] = k;
    }
  }
  if (max_token_bytes_ == 0) {
    max_token_bytes_ = 1;
    for (size_t id = 0; id < tokenizer_->size(); ++id)
      max_token_bytes_ =
          std::max(max_token_bytes_, tokenizer_->TokenBytes(static_cast<int32_t>(id)).size());
  }
  // Every byte may be invalid and become a U+FFFD. The cap bounds the reservation for tokenizers
  // with absurdly long tokens; for those text_ grows.
  constexpr size_t kReplacementBytes = 3;
  constexpr size_t kMaxReserve = size_t{16} << 20;
  constexpr size_t kMaxPartialBytes = 3;
  const size_t per_token = max_token_bytes_ * kReplacementBytes;
  text_.reserve(std::min(max_tokens, kMaxReserve / per_token) * per_token +
                kMaxPartialBytes * kReplacementBytes);
  partial_.reserve(kMaxPartialBytes + max_token_bytes_);
  return Status();
}

void Detokenizer::Clear() {
  text_.clear();
  partial_.clear();
  begin_ = released_ = 0;
  stopped_ = false;
}

std::string_view Detokenizer::Push(int32_t id) {
  if (stopped_) return {};
  partial_.append(tokenizer_->TokenBytes(id));
  const size_t whole = WholeCharactersLength(partial_);
  Append(std::string_view(partial_).substr(0, whole));
  partial_.erase(0, whole);
  size_t held = 0;
  if (!stopped_) {
    for (const Stop& s : stops_) held = std::max(held, s.matched);
  }
  return Release(text_.size() - held);
}

std::string_view Detokenizer::Finish() {
  if (!stopped_) Append(partial_);
  partial_.clear();
  return Release(text_.size());
}

void Detokenizer::Append(std::string_view bytes) {
  size_t at = text_.size();
  AppendValidUtf8(bytes, &text_);
  while (at < text_.size()) {
    const Utf8Step step = NextUtf8(std::string_view(text_).substr(at));
    size_t cut = std::string::npos;
    for (Stop& s : stops_) {
      for (size_t i = at; i < at + step.length; ++i) {
        while (s.matched > 0 && text_[i] != s.text[s.matched]) s.matched = s.fallback[s.matched];
        if (text_[i] == s.text[s.matched]) ++s.matched;
      }
      // A stop string ends at the end of a character, so this is the earliest end; of several stop
      // strings that end here the longest one wins.
      if (s.matched == s.text.size()) cut = std::min(cut, at + step.length - s.matched);
    }
    if (cut != std::string::npos) {
      text_.resize(cut);
      begin_ = std::min(begin_, cut);
      released_ = std::min(released_, cut);  // only ever beyond it in leading white space
      stopped_ = true;
      return;
    }
    const bool leading = strip_ && begin_ == at && IsWhitespace(step.character);
    at += step.length;
    if (leading) begin_ = released_ = at;
  }
}

std::string_view Detokenizer::Release(size_t end) {
  while (strip_ && end > released_) {
    size_t start = end - 1;
    while ((static_cast<uint8_t>(text_[start]) & 0xC0) == 0x80) --start;
    if (!IsWhitespace(NextUtf8(std::string_view(text_).substr(start)).character)) break;
    end = start;
  }
  if (end <= released_) return {};
  const std::string_view text = std::string_view(text_).substr(released_, end - released_);
  released_ = end;
  return text;
}

}  // namespace tinyvlm
