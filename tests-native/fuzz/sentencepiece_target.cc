// SentencePiece models: read by our reader; what it takes is loaded, encodes and decodes. Behind
// the model a text may stand: the last byte of the input is its length.
#include <string>
#include <vector>

#include "fuzz/dice.h"
#include "fuzz/fuzz.h"
#include "text/sentencepiece_model.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/utf8.h"

using namespace tinyvlm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  if (size == 0) return 0;
  const size_t text_bytes = std::min<size_t>(data[size - 1], size - 1);
  const ExactCopy model({data, size - 1 - text_bytes});
  const std::string text(TextOf({data + size - 1 - text_bytes, text_bytes}));
  const auto info = ParseSentencePieceModel(model.bytes());
  MustBeTold(info.status());
  MustHold(IsValidUtf8(info.status().message()), "an error is UTF-8");
  const auto tokenizer = LoadSentencePieceTokenizer(model.bytes());
  MustBeTold(tokenizer.status());
  if (!info.ok()) {
    MustHold(!tokenizer.ok(), "what cannot be read is not loaded");
    return 0;
  }
  MustHold(info->unk_id >= 0, "there is an unknown piece");
  if (!tokenizer.ok()) return 0;
  for (const bool special : {false, true}) {
    const auto ids = (*tokenizer)->Encode(text, special);
    MustBeTold(ids.status());
    MustHold(ids.ok(), "a short text is encoded");
    for (const int32_t id : *ids) {
      MustHold(id >= 0 && static_cast<size_t>(id) < (*tokenizer)->size(), "ids are tokens");
      MustHold(special || !(*tokenizer)->IsControl(id), "no text gives a control token");
    }
    MustHold(IsValidUtf8((*tokenizer)->Decode(*ids)), "decoding gives UTF-8");
  }
  MustHold((*tokenizer)->EncodeContinuation(text).ok(), "a continuation is encoded");
  for (int32_t id = -2; id < static_cast<int32_t>(std::min<size_t>((*tokenizer)->size(), 300)) + 2;
       ++id)
    MustHold(!(*tokenizer)->IsControl(id) || (*tokenizer)->TokenBytes(id).empty(),
             "control tokens add nothing to an answer");
  return 0;
}
