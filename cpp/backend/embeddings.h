// An encoded image, where its backend keeps it.
#ifndef TINYVLM_BACKEND_EMBEDDINGS_H_
#define TINYVLM_BACKEND_EMBEDDINGS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

// The decoder's input embeddings of one image: [tokens, width]. The encoder that made the object
// fills it; rows of a decoder of the same backend refer to it, so that nothing is copied between
// the two. Ownership is shared, and it may outlive the encoder.
class Embeddings {
 public:
  virtual ~Embeddings() = default;

  size_t tokens() const { return tokens_; }
  size_t width() const { return width_; }

  // Bytes held, wherever they are.
  virtual uint64_t memory_bytes() const = 0;

  // The rows, [tokens, width], brought to the host. Once an encoder has filled them; valid until
  // one fills them again. Errors: unsupported (the default) where a backend keeps them to itself,
  // and those of a device.
  virtual Result<std::span<const float>> ReadRows() const;

 protected:
  Embeddings(size_t tokens, size_t width) : tokens_(tokens), width_(width) {}

 private:
  const size_t tokens_;
  const size_t width_;
};

inline Result<std::span<const float>> Embeddings::ReadRows() const {
  return Error(ErrorCode::kUnsupported, "this backend does not hand out the rows of an image");
}

// Embeddings in the host's memory, f32.
class HostEmbeddings : public Embeddings {
 public:
  // Errors: out_of_memory.
  static Result<std::shared_ptr<HostEmbeddings>> Allocate(size_t tokens, size_t width) {
    std::shared_ptr<HostEmbeddings> embeddings(new HostEmbeddings(tokens, width));
    TVLM_ASSIGN_OR_RETURN(embeddings->rows_, AlignedBuffer<float>::Allocate(
                                                 uint64_t{tokens} * width, "image embeddings"));
    return embeddings;
  }

  // [tokens, width], row-major.
  float* data() { return rows_.data(); }
  const float* row(size_t index) const { return rows_.data() + index * width(); }

  uint64_t memory_bytes() const override { return uint64_t{rows_.size()} * sizeof(float); }
  Result<std::span<const float>> ReadRows() const override {
    return std::span<const float>(rows_.data(), rows_.size());
  }

 private:
  using Embeddings::Embeddings;

  AlignedBuffer<float> rows_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_EMBEDDINGS_H_
