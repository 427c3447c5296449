// The rows that a prompt becomes in a decoder: one per text token, several per image.
#ifndef TINYVLM_ENGINE_PROMPT_ROWS_H_
#define TINYVLM_ENGINE_PROMPT_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/decoder.h"
#include "base/sha256.h"

namespace tinyvlm {

// What a row was made from. Prefixes with equal keys have equal KV cache contents.
struct RowKey {
  int32_t token = -1;      // -1: a row of an image
  uint32_t index = 0;      // of the row in its image
  Sha256::Digest image{};  // of the image's pixels; zeros for a token
  bool operator==(const RowKey&) const = default;
};

class PromptRows {
 public:
  // Memory for prompts of up to `rows` rows.
  void Reserve(size_t rows) { keys_.reserve(rows); }

  // Sets the prompt: token ids in which the n-th kImageMarker stands for images[n], which becomes
  // `image_tokens` rows.
  void Assign(std::span<const int32_t> ids, std::span<const Sha256::Digest> images,
              size_t image_tokens);

  size_t size() const { return keys_.size(); }
  std::span<const RowKey> keys() const { return keys_; }

  // How many leading rows `cached` already holds.
  size_t CommonPrefix(std::span<const RowKey> cached) const;

  // Indices, ascending, of the prompt's images that have a row at or after `first`.
  std::vector<size_t> ImagesFrom(size_t first) const;

  // Sets `rows` to the rows from `first` on. embeddings[n] belongs to the prompt's n-th image and
  // is borrowed by the rows; it may be null where ImagesFrom(first) lacks the image.
  void MakeRows(size_t first, std::span<const std::shared_ptr<const Embeddings>> embeddings,
                std::vector<DecoderRow>* rows) const;

 private:
  std::vector<RowKey> keys_;
  std::vector<size_t> image_starts_;  // the first row of each image
  size_t image_tokens_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_PROMPT_ROWS_H_
