#include "engine/image_cache.h"

#include <algorithm>
#include <utility>

namespace tinyvlm {

ImageCache::Entry* ImageCache::Find(const Sha256::Digest& image) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry->image == image; });
  return found == entries_.end() ? nullptr : found->get();
}

Status ImageCache::Hold(std::span<const Sha256::Digest> images, VisionEncoder& encoder) {
  ++holds_;
  for (const Sha256::Digest& image : images) {
    if (Entry* const known = Find(image); known != nullptr) known->held = holds_;
  }
  for (const Sha256::Digest& image : images) {
    if (Find(image) != nullptr) continue;
    const auto oldest =
        std::min_element(entries_.begin(), entries_.end(),
                         [](const auto& a, const auto& b) { return a->held < b->held; });
    std::unique_ptr<Entry> entry;
    if (entries_.size() >= kMaxKept && (*oldest)->held != holds_) {
      entry = std::move(*oldest);
      entries_.erase(oldest);
    } else {
      entry = std::make_unique<Entry>();
      TVLM_ASSIGN_OR_RETURN(entry->embeddings, encoder.NewEmbeddings());
    }
    entry->image = image;
    entry->complete = false;
    entry->held = holds_;
    entries_.push_back(std::move(entry));
  }
  return Status();
}

uint64_t ImageCache::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& entry : entries_) bytes += entry->embeddings->memory_bytes();
  return bytes;
}

}  // namespace tinyvlm
