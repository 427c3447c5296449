// The seam behind which a vision tower stands: another backend may replace it whole.
#ifndef TINYVLM_VISION_VISION_ENCODER_H_
#define TINYVLM_VISION_VISION_ENCODER_H_

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "base/tile_program.h"

namespace tinyvlm {

// Turns one image of a fixed size into rows of decoder embeddings, a bounded piece of work at a
// time.
class VisionEncoder {
 public:
  virtual ~VisionEncoder() = default;

  // Where the image goes before Begin: [height, width, 3] f32, normalised. Valid until the encoder
  // is destroyed.
  virtual float* input() = 0;

  // Starts over with what input() holds.
  virtual void Begin() = 0;

  // Works until NowMs() passes deadline_ms; ready_bytes as in WeightStore.
  virtual RunState Advance(ThreadPool& pool, double deadline_ms, uint64_t ready_bytes) = 0;

  // After kDone: [tokens, width] embeddings, row-major over the output map. Valid until the next
  // Begin.
  virtual const float* embeddings() const = 0;
  virtual size_t tokens() const = 0;
  virtual size_t width() const = 0;

  // Bytes of activations held.
  virtual uint64_t memory_bytes() const = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_VISION_VISION_ENCODER_H_
