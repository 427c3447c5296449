// The interface of a decoder.
#ifndef TINYVLM_BACKEND_DECODER_H_
#define TINYVLM_BACKEND_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/embeddings.h"
#include "backend/operation_time.h"
#include "backend/run_state.h"
#include "backend/sampler.h"
#include "base/status.h"

namespace tinyvlm {

// One row that goes into a decoder: a token, or a row of an encoded image.
struct DecoderRow {
  // The id, below the vocabulary; not used where `embeddings` is not null.
  int32_t token = -1;

  // The sequence (conversation) whose KV cache the row joins; 0 for decoders that hold one. A row
  // attends to the rows of its own sequence, and its result does not depend on which other rows, of
  // any sequence, are computed with it.
  uint32_t sequence = 0;

  // The image whose row `index` is the input, made by an encoder of the same backend; null for a
  // token. Borrowed: it must outlive the row's computation.
  const Embeddings* embeddings = nullptr;
  uint32_t index = 0;
};

// A causal decoder with a KV cache: takes rows and chooses the token that follows the last one,
// working in bounded pieces. Used by one thread at a time; different decoders of a backend may be
// used on different threads.
class Decoder {
 public:
  virtual ~Decoder() = default;

  // Adds `rows` (at least one; position() + rows.size() <= context()) after the rows already in the
  // cache. The span's array must stay valid until Advance returns kDone. A prompt is one call with
  // many rows, a step one call with one. Errors: invalid_argument for a sequence that the decoder
  // does not hold, and those of a device.
  virtual Status Begin(std::span<const DecoderRow> rows) = 0;

  // Works until NowMs() passes deadline_ms; makes some progress even where that is already past.
  // Errors: those of a device; the cache then holds the rows before Begin.
  virtual Result<RunState> Advance(double deadline_ms) = 0;

  // After kDone, once: the id that `sampler` chooses to follow the last row (arguments as in
  // Sampler::Sample), or Sampler::kNoToken. A backend may sample on the device, where the logits
  // are. Errors: those of a device.
  virtual Result<int32_t> Choose(Sampler& sampler, size_t valid, std::span<const int32_t> history,
                                 std::span<const uint8_t> allowed) = 0;

  // After kDone, before Choose: the last row's logits, [vocabulary], brought to the host; for
  // traces. Valid until the next Begin. Errors: those of a device.
  virtual Result<std::span<const float>> ReadLogits() = 0;

  // Rows in the cache, and how many it can hold.
  virtual size_t position() const = 0;
  virtual size_t context() const = 0;

  // Drops the rows from `position` (at most position()) on, those of an unfinished Begin included.
  virtual void Rewind(size_t position) = 0;

  // Bytes of cache and activations held.
  virtual uint64_t memory_bytes() const = 0;

  // Of these, those of the KV cache; 0 where a backend does not tell them apart.
  virtual uint64_t kv_cache_bytes() const { return 0; }

  // As in VisionEncoder.
  virtual std::vector<OperationTime> Profile() const;
};

inline std::vector<OperationTime> Decoder::Profile() const { return {}; }

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_DECODER_H_
