// The memory that a model and a session take, computed without the model's weights.
#ifndef TINYVLM_ENGINE_MEMORY_ESTIMATE_H_
#define TINYVLM_ENGINE_MEMORY_ESTIMATE_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "base/status.h"
#include "engine/model.h"
#include "engine/session.h"

namespace tinyvlm {

// Bytes of the buffers that the engine allocates, exactly. Not counted: images that a session
// holds, stacks of threads, what the allocator adds.
struct MemoryEstimate {
  uint64_t weights = 0;      // the data section of the file, mapped or in memory
  uint64_t widened = 0;      // f32 copies of small tensors
  uint64_t tokenizer = 0;    // vocabulary and merges
  uint64_t kv_cache = 0;     // keys and values of a session's context
  uint64_t activations = 0;  // the rest of a session
};

// Makes the session's options for a model whose context is at most `max_context` tokens.
using MakeSessionOptions = std::function<Result<SessionOptions>(size_t max_context)>;

// Estimates for a model that was made from a header and whose weights need not arrive. Allocates
// all of that memory temporarily but touches almost none of it. Errors: those of `options` and
// Session::Create.
Result<MemoryEstimate> EstimateMemory(const std::shared_ptr<Model>& model,
                                      const MakeSessionOptions& options);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MEMORY_ESTIMATE_H_
