#include "engine/prompt_rows.h"

#include <algorithm>

#include "base/check.h"
#include "text/chat_template.h"

namespace tinyvlm {

void PromptRows::Assign(std::span<const int32_t> ids, std::span<const Sha256::Digest> images,
                        size_t image_tokens) {
  keys_.clear();
  image_starts_.clear();
  image_tokens_ = image_tokens;
  for (const int32_t id : ids) {
    if (id != kImageMarker) {
      keys_.push_back(RowKey{id, 0, {}});
      continue;
    }
    TVLM_DCHECK(image_starts_.size() < images.size());
    const Sha256::Digest& image = images[image_starts_.size()];
    image_starts_.push_back(keys_.size());
    for (size_t t = 0; t < image_tokens; ++t)
      keys_.push_back(RowKey{-1, static_cast<uint32_t>(t), image});
  }
}

size_t PromptRows::CommonPrefix(std::span<const RowKey> cached) const {
  const auto end = std::mismatch(cached.begin(), cached.end(), keys_.begin(), keys_.end()).first;
  return static_cast<size_t>(end - cached.begin());
}

std::vector<size_t> PromptRows::ImagesFrom(size_t first) const {
  std::vector<size_t> images;
  for (size_t n = 0; n < image_starts_.size(); ++n) {
    if (image_starts_[n] + image_tokens_ > first) images.push_back(n);
  }
  return images;
}

void PromptRows::MakeRows(size_t first,
                          std::span<const std::shared_ptr<const Embeddings>> embeddings,
                          std::vector<DecoderRow>* rows) const {
  rows->clear();
  size_t image = 0;  // the image that `row` belongs to, or the next one
  for (size_t row = first; row < keys_.size(); ++row) {
    const RowKey& key = keys_[row];
    DecoderRow out;
    out.token = key.token;
    if (key.token == -1) {
      while (image_starts_[image] + image_tokens_ <= row) ++image;
      TVLM_DCHECK(embeddings[image] != nullptr);
      out.embeddings = embeddings[image].get();
      out.index = key.index;
    }
    rows->push_back(out);
  }
}

}  // namespace tinyvlm
