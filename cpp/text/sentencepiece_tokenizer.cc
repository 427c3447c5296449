#include "text/sentencepiece_tokenizer.h"

#include <mutex>
#include <utility>

#include "builtin_pb/sentencepiece_model.pb.h"
#include "sentencepiece_processor.h"
#include "text/sentencepiece_model.h"
#include "text/special_tokens.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581, a space inside pieces

class SentencePieceTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Load(std::span<const uint8_t> model) {
    TVLM_ASSIGN_OR_RETURN(const SentencePieceModelInfo info, ParseSentencePieceModel(model));
    if (info.algorithm == SentencePieceModelInfo::Algorithm::kWord ||
        info.algorithm == SentencePieceModelInfo::Algorithm::kChar) {
      return Error(
          ErrorCode::kUnsupported, "tokenizer model: type unigram (1) or BPE (2) wanted, %s found",
          info.algorithm == SentencePieceModelInfo::Algorithm::kWord ? "word (3)" : "char (4)");
    }
    if (info.has_denormalizer)
      return Error(
          ErrorCode::kUnsupported,
          "tokenizer model: denormalizer_spec, which rewrites decoded text, is not supported");
    if (info.treat_whitespace_as_suffix)
      return Error(ErrorCode::kUnsupported,
                   "tokenizer model: treat_whitespace_as_suffix is not supported");
    auto tokenizer =
        std::unique_ptr<SentencePieceTokenizer>(new SentencePieceTokenizer(info, model.size()));
    const sentencepiece::util::Status status =
        tokenizer->processor_.LoadFromSerializedProto(WithoutSelfTests(model));
    if (!status.ok())
      return Error(ErrorCode::kInvalidFile,
                   "tokenizer model: rejected by the sentencepiece library: %s",
                   status.ToString().c_str());
    return std::unique_ptr<Tokenizer>(std::move(tokenizer));
  }

  size_t size() const override { return types_.size(); }

  Result<std::vector<int32_t>> Encode(std::string_view text, bool parse_special) const override {
    std::vector<int32_t> ids;
    size_t plain = 0;  // offset of the text that is not encoded yet
    for (size_t i = 0; parse_special && i < text.size();) {
      // The library matches user-defined tokens itself.
      const SpecialTokens::Token* const control =
          specials_.LongestAt(text.substr(i), /*control=*/true, /*user_defined=*/false);
      if (control == nullptr) {
        ++i;
        continue;
      }
      TVLM_RETURN_IF_ERROR(
          AppendPlain(text.substr(plain, i - plain), /*at_start=*/plain == 0, &ids));
      ids.push_back(control->id);
      i += control->text.size();
      plain = i;
    }
    TVLM_RETURN_IF_ERROR(AppendPlain(text.substr(plain), /*at_start=*/plain == 0, &ids));
    return ids;
  }

  Result<std::vector<int32_t>> EncodeContinuation(std::string_view text) const override {
    std::vector<int32_t> ids;
    TVLM_RETURN_IF_ERROR(AppendPlain(text, /*at_start=*/false, &ids));
    return ids;
  }

  std::string_view TokenBytes(int32_t id) const override {
    if (!Has(id)) return {};
    const size_t i = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(begins_[i], begins_[i + 1] - begins_[i]);
  }

  bool IsControl(int32_t id) const override {
    return Has(id) && types_[static_cast<size_t>(id)] == kControlPiece;
  }

  std::optional<int32_t> FindSpecial(std::string_view name) const override {
    const SpecialTokens::Token* const special = specials_.Find(name);
    return special == nullptr ? std::nullopt : std::optional<int32_t>(special->id);
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    std::string bytes;
    // The dummy prefix is the space of the first piece that has text; if the model removes extra
    // spaces, all leading spaces are removed.
    bool strip = add_dummy_prefix_ || remove_extra_whitespaces_;
    for (const int32_t id : ids) {
      std::string_view piece = TokenBytes(id);
      const bool plain = Has(id) && types_[static_cast<size_t>(id)] != kBytePiece &&
                         types_[static_cast<size_t>(id)] != kUnknownPiece;
      if (strip && plain && piece.starts_with(' ')) {
        piece.remove_prefix(1);
        strip = remove_extra_whitespaces_;
      }
      bytes.append(piece);
      if (!bytes.empty()) strip = false;
    }
    std::string text;
    AppendValidUtf8(bytes, &text);
    return text;
  }

  // The library keeps the model's bytes and, measured on three models, about 190 bytes for each
  // piece.
  size_t memory_bytes() const override {
    return bytes_.size() + begins_.size() * sizeof(uint32_t) + types_.size() + model_bytes_ +
           190 * types_.size();
  }

 private:
  SentencePieceTokenizer(const SentencePieceModelInfo& info, size_t model_bytes)
      : model_bytes_(model_bytes),
        add_dummy_prefix_(info.add_dummy_prefix),
        remove_extra_whitespaces_(info.remove_extra_whitespaces) {
    types_.reserve(info.pieces.size());
    begins_.reserve(info.pieces.size() + 1);
    begins_.push_back(0);
    std::vector<SpecialTokens::Token> specials;
    for (const SentencePieceModelInfo::Piece& piece : info.pieces) {
      const int32_t id = static_cast<int32_t>(types_.size());
      types_.push_back(static_cast<uint8_t>(piece.type));
      AppendBytes(piece, info.unk_surface);
      begins_.push_back(static_cast<uint32_t>(bytes_.size()));
      const bool control = piece.type == kControlPiece;
      if (control || piece.type == kUserDefinedPiece) specials.push_back({piece.text, id, control});
    }
    specials_ = SpecialTokens(std::move(specials));
  }

  // Appends the bytes that a piece decodes to.
  void AppendBytes(const SentencePieceModelInfo::Piece& piece, std::string_view unk_surface) {
    switch (piece.type) {
      case kControlPiece:
        return;
      case kUnknownPiece:
        bytes_.append(unk_surface);
        return;
      case kBytePiece:
        bytes_.push_back(static_cast<char>(ByteOfPiece(piece.text)));
        return;
      default:
        break;
    }
    std::string_view rest = piece.text;
    for (size_t at = rest.find(kSpaceSymbol); at != std::string_view::npos;
         at = rest.find(kSpaceSymbol)) {
      bytes_.append(rest.substr(0, at)).push_back(' ');
      rest.remove_prefix(at + kSpaceSymbol.size());
    }
    bytes_.append(rest);
  }

  bool Has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < types_.size(); }

  // Appends the ids of text without control tokens; at_start: with the model's dummy prefix, if it
  // has one.
  Status AppendPlain(std::string_view text, bool at_start, std::vector<int32_t>* ids) const {
    if (text.empty()) return Status();
    if (text.size() > kMaxTextBytes) {
      return Error(ErrorCode::kInvalidArgument, "a text of at most %zu bytes wanted, %zu found",
                   kMaxTextBytes, text.size());
    }
    std::vector<int> plain;
    sentencepiece::util::Status status;
    {
      // The normaliser reads its settings for each text; there is no other way to encode without
      // the prefix.
      const std::lock_guard<std::mutex> lock(mutex_);
      processor_.mutable_normalizer_spec()->set_add_dummy_prefix(add_dummy_prefix_ && at_start);
      status = processor_.Encode(text, &plain);
    }
    if (!status.ok())
      return Error(ErrorCode::kInternal, "the sentencepiece library cannot encode a text: %s",
                   status.ToString().c_str());
    for (const int id : plain) {
      if (!Has(id) || IsControl(id))
        return Error(ErrorCode::kInternal, "the sentencepiece library made id %d out of plain text",
                     id);
    }
    ids->insert(ids->end(), plain.begin(), plain.end());
    return Status();
  }

  sentencepiece::SentencePieceProcessor processor_;
  mutable std::mutex mutex_;
  const size_t model_bytes_;
  const bool add_dummy_prefix_;
  const bool remove_extra_whitespaces_;
  std::vector<uint8_t> types_;    // PieceType by id
  std::string bytes_;             // TokenBytes of all ids, one after the other
  std::vector<uint32_t> begins_;  // where the bytes of each id begin; one more for the end
  SpecialTokens specials_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadSentencePieceTokenizer(std::span<const uint8_t> model) {
  return SentencePieceTokenizer::Load(model);
}

}  // namespace tinyvlm
