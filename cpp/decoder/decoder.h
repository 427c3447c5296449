// The seam behind which a decoder stands: another backend may replace it whole.
#ifndef TINYVLM_DECODER_DECODER_H_
#define TINYVLM_DECODER_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "base/thread_pool.h"
#include "base/tile_program.h"

namespace tinyvlm {

// One row of a prompt: a token, or a row of an image's embeddings.
struct DecoderRow {
  int32_t token = -1;
  // [width]; used where not null, and then `token` is not. Must stay valid until the rows are done.
  const float* embedding = nullptr;
};

// A causal decoder with a KV cache: rows go in, the logits of the last row come out, a bounded
// piece of work at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;

  // Adds `rows` (at least one; position() + rows.size() <= context()) after the rows already in the
  // cache. The span's array must stay valid until Advance returns kDone. A prompt is one call with
  // many rows, a step one call with one.
  virtual void Begin(std::span<const DecoderRow> rows) = 0;

  // Works until NowMs() passes deadline_ms; ready_bytes as in WeightStore. After kDone logits()
  // holds the last row's.
  virtual RunState Advance(ThreadPool& pool, double deadline_ms, uint64_t ready_bytes) = 0;

  // [vocabulary] values; the caller may change them. Valid until the next Begin.
  virtual float* logits() = 0;
  virtual size_t vocabulary() const = 0;

  // Rows in the cache, and how many it can hold.
  virtual size_t position() const = 0;
  virtual size_t context() const = 0;

  // Forgets the rows from `position` on (also of an unfinished Begin).
  virtual void Rewind(size_t position) = 0;

  // Bytes of cache and activations held.
  virtual uint64_t memory_bytes() const = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_DECODER_DECODER_H_
