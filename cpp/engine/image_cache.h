// Encoded images, which are kept a while so that an image that is asked about again need not be
// encoded again.
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

// Images are told apart by the SHA-256 of their pixels at the encoder's size: two different images
// never pass for one, also when somebody tries.
class ImageCache {
 public:
  // Images that are kept although the prompt of the moment does not need them.
  static constexpr size_t kMaxKept = 8;

  struct Entry {
    Sha256::Digest image{};
    std::shared_ptr<Embeddings> embeddings;
    bool complete = false;  // the encoder has filled the embeddings
    uint64_t held = 0;      // the last Hold that wanted it
  };

  // Makes room for the images of a prompt, which stay until the next Hold. Those that are here
  // keep what they have; for the others, the ones that were not wanted for longest make room where
  // kMaxKept or more are here, and memory is allocated by `encoder` where none is free. Errors:
  // those of NewEmbeddings.
  Status Hold(std::span<const Sha256::Digest> images, VisionEncoder& encoder);

  // Null where the image is not here. Valid until the next Hold.
  Entry* Find(const Sha256::Digest& image);

  uint64_t memory_bytes() const;

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
  uint64_t holds_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_IMAGE_CACHE_H_
