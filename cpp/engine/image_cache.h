// A cache of encoded images, so that an image that is asked about again is not encoded again.
#ifndef TINYVLM_ENGINE_IMAGE_CACHE_H_
#define TINYVLM_ENGINE_IMAGE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/vision_encoder.h"
#include "base/sha256.h"
#include "base/status.h"

namespace tinyvlm {

// The key is the SHA-256 of an image's pixels at the encoder's size, so even a crafted image is
// never mistaken for another.
class ImageCache {
 public:
  // From this many entries on, one that the prompt does not need is reused for a new image.
  static constexpr size_t kMaxKept = 8;

  struct Entry {
    Sha256::Digest image{};
    std::shared_ptr<Embeddings> embeddings;
    bool complete = false;  // the encoder has filled the embeddings
    uint64_t held = 0;      // the last Hold that wanted it
  };

  // Makes entries for the images of a prompt, which stay until the next Hold. Existing entries keep
  // their embeddings. With kMaxKept or more entries, a new image takes the least recently needed
  // one that the prompt does not need; otherwise `encoder` allocates memory. Errors: those of
  // NewEmbeddings.
  Status Hold(std::span<const Sha256::Digest> images, VisionEncoder& encoder);

  // Null where the image is not here. Valid until the next Hold.
  Entry* Find(const Sha256::Digest& image);

  // Forgets all of them.
  void Clear() { entries_.clear(); }

  uint64_t memory_bytes() const;

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
  uint64_t holds_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_IMAGE_CACHE_H_
