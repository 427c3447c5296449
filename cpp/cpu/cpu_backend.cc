#include "cpu/cpu_backend.h"

#include <utility>

#include "base/check.h"
#include "decoder/qwen2.h"
#include "vision/fastvithd.h"

namespace tinyvlm {

Result<std::unique_ptr<Backend>> CpuBackend::Create(const ModelDescription& model, size_t threads,
                                                    std::optional<BorrowedWeights> borrowed) {
  std::unique_ptr<CpuBackend> backend(new CpuBackend(model, threads));
  TVLM_RETURN_IF_ERROR(backend->Bind(std::move(borrowed)));
  return std::unique_ptr<Backend>(std::move(backend));
}

Status CpuBackend::Bind(std::optional<BorrowedWeights> borrowed) {
  TVLM_ASSIGN_OR_RETURN(store_, borrowed.has_value()
                                    ? WeightStore::CreateInPlace(model_.file, std::move(*borrowed))
                                    : WeightStore::Create(model_.file));
  runner_.Receive([&] { return store_->ready_bytes(); });
  if (model_.has_vision()) {
    TVLM_ASSIGN_OR_RETURN(vision_weights_, FastVitHdWeights::Bind(model_.vision_tensors, *store_));
  }
  TVLM_ASSIGN_OR_RETURN(decoder_weights_,
                        Qwen2Weights::Bind(model_.decoder, model_.decoder_tensors, *store_));
  return Status();
}

Result<uint8_t*> CpuBackend::WeightPlace(uint64_t offset, uint64_t bytes) {
  TVLM_DCHECK(offset <= model_.file.data_bytes && bytes <= model_.file.data_bytes - offset);
  static_cast<void>(bytes);
  return store_->data() + offset;
}

Status CpuBackend::SetReceived(uint64_t bytes) {
  runner_.Receive([&] {
    store_->SetReceived(bytes);
    return store_->ready_bytes();
  });
  return Status();
}

Result<std::unique_ptr<VisionEncoder>> CpuBackend::CreateVisionEncoder(
    const VisionEncoderOptions& options) {
  TVLM_ASSIGN_OR_RETURN(std::unique_ptr<VisionEncoder> encoder,
                        FastVitHd::Create(model_.vision, vision_weights_, options, runner_));
  return encoder;
}

Result<std::unique_ptr<Decoder>> CpuBackend::CreateDecoder(const DecoderOptions& options) {
  TVLM_ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder,
                        Qwen2::Create(model_.decoder, decoder_weights_, options, runner_));
  return decoder;
}

BackendFactory MakeCpuBackend(size_t threads) {
  return [threads](const ModelDescription& model) {
    return CpuBackend::Create(model, threads, std::nullopt);
  };
}

BackendFactory MakeCpuBackend(size_t threads, BorrowedWeights weights) {
  return [threads, weights = std::move(weights)](const ModelDescription& model) {
    return CpuBackend::Create(model, threads, weights);
  };
}

}  // namespace tinyvlm
