#include "engine/memory_estimate.h"

#include <algorithm>
#include <cinttypes>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace tinyvlm {

Result<MemoryEstimate> EstimateMemory(GgufFile header, size_t threads,
                                      const MakeSessionOptions& options) {
  MemoryEstimate estimate;
  estimate.weights = header.data_bytes;
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                        Model::Create(std::move(header), threads));
  TVLM_ASSIGN_OR_RETURN(const SessionOptions session_options,
                        options(model->decoder().max_positions));
  TVLM_ASSIGN_OR_RETURN(const auto session, Session::Create(model, session_options));
  estimate.widened = model->backend().extra_weight_bytes();
  if (model->tokenizer() != nullptr) estimate.tokenizer = model->tokenizer()->memory_bytes();
  estimate.kv_cache = session->kv_cache_bytes();
  estimate.activations = session->memory_bytes() - estimate.kv_cache;
  return estimate;
}

Result<GgufFile> ReadHeader(const RandomAccessFile& file) {
  std::vector<uint8_t> prefix;
  uint64_t wanted = std::min<uint64_t>(64 * 1024, file.size());
  for (;;) {
    const size_t have = prefix.size();
    prefix.resize(static_cast<size_t>(wanted));
    TVLM_RETURN_IF_ERROR(file.ReadAt(have, prefix.data() + have, prefix.size() - have));
    TVLM_ASSIGN_OR_RETURN(GgufParse parse, ParseGgufHeader(prefix));
    if (parse.file.has_value()) {
      TVLM_RETURN_IF_ERROR(VerifyHeaderHash(
          *parse.file, {prefix.data(), static_cast<size_t>(parse.file->data_offset)}));
      return std::move(*parse.file);
    }
    if (wanted == file.size()) {
      return Error(ErrorCode::kInvalidFile,
                   "the file is truncated: it ends after %" PRIu64 " bytes, inside its header",
                   file.size());
    }
    wanted = std::min(file.size(), std::max(parse.bytes_needed, wanted * 2));
  }
}

}  // namespace tinyvlm
