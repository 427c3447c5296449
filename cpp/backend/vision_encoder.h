// The interface of a vision tower with its projector.
#ifndef TINYVLM_BACKEND_VISION_ENCODER_H_
#define TINYVLM_BACKEND_VISION_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/embeddings.h"
#include "backend/operation_time.h"
#include "backend/run_state.h"
#include "base/status.h"

namespace tinyvlm {

// Turns images of one size into rows of decoder embeddings, a bounded piece of work at a time. Used
// by one thread at a time; different encoders of a backend may be used on different threads.
class VisionEncoder {
 public:
  virtual ~VisionEncoder() = default;

  // Allocates memory for the embeddings of one image. Errors: out_of_memory.
  virtual Result<std::shared_ptr<Embeddings>> NewEmbeddings() = 0;

  // Starts an image: `pixels` [height, width, 3], 8-bit RGB, which the encoder normalises and does
  // not need after this returns. The result goes into `into`, made by NewEmbeddings() of an encoder
  // of this backend for images of this size, and is complete after kDone. An unfinished image is
  // abandoned. Allocates nothing. Errors: those of a device.
  virtual Status Begin(const uint8_t* pixels, std::shared_ptr<Embeddings> into) = 0;

  // The same for `values` [height, width, 3], f32, that are normalised already, so that a trace can
  // use exactly the input of a reference implementation. Errors: unsupported (the default) where a
  // backend encodes 8-bit pixels only.
  virtual Status BeginNormalized(const float* values, std::shared_ptr<Embeddings> into);

  // Works until NowMs() passes deadline_ms; makes some progress even where that is already past.
  // Errors: those of a device; the image is then abandoned.
  virtual Result<RunState> Advance(double deadline_ms) = 0;

  // Tokens that one image becomes.
  virtual size_t tokens() const = 0;

  // Bytes of activations held.
  virtual uint64_t memory_bytes() const = 0;

  // Time by operation, in order of first use; empty (the default) where it is not measured.
  virtual std::vector<OperationTime> Profile() const;
};

// An override keeps what it gets. NOLINTNEXTLINE(performance-unnecessary-value-param)
inline Status VisionEncoder::BeginNormalized(const float*, std::shared_ptr<Embeddings>) {
  return Error(ErrorCode::kUnsupported, "this backend encodes 8-bit pixels only");
}

inline std::vector<OperationTime> VisionEncoder::Profile() const { return {}; }

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_VISION_ENCODER_H_
