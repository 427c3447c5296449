#include "engine/memory_estimate.h"

namespace tinyvlm {

Result<MemoryEstimate> EstimateMemory(const std::shared_ptr<Model>& model,
                                      const MakeSessionOptions& options) {
  MemoryEstimate estimate;
  estimate.weights = model->file().data_bytes;
  TVLM_ASSIGN_OR_RETURN(const SessionOptions session_options,
                        options(model->decoder().max_positions));
  TVLM_ASSIGN_OR_RETURN(const auto session, Session::Create(model, session_options));
  estimate.widened = model->backend().extra_weight_bytes();
  if (model->tokenizer() != nullptr) estimate.tokenizer = model->tokenizer()->memory_bytes();
  estimate.kv_cache = session->kv_cache_bytes();
  estimate.activations = session->memory_bytes() - estimate.kv_cache;
  return estimate;
}

}  // namespace tinyvlm
