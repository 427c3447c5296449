// The CPU backend: the weights in memory, packed as the kernels read them, and a thread pool that
// the execution plans of all encoders and decoders share.
#ifndef TINYVLM_CPU_CPU_BACKEND_H_
#define TINYVLM_CPU_CPU_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "backend/backend.h"
#include "decoder/qwen2_weights.h"
#include "parallel/plan_runner.h"
#include "vision/fastvithd_weights.h"
#include "weights/weight_store.h"

namespace tinyvlm {

// Computes with the weights that have arrived: Advance returns RunState::kWaiting where the next
// operation needs others. Supports taps of every stage (docs/trace.md) and profiles.
class CpuBackend : public Backend {
 public:
  // Binds the weights: allocates the data section, or reads `borrowed` in place; no weights are
  // then received. `model` outlives the backend. `threads` includes the caller's. Errors name the
  // tensor: out_of_memory, unsupported for a type that a layer cannot have, those of
  // WeightStore::CreateInPlace.
  static Result<std::unique_ptr<Backend>> Create(const ModelDescription& model, size_t threads,
                                                 std::optional<BorrowedWeights> borrowed);

  const char* name() const override { return "cpu"; }
  size_t threads() const override { return runner_.workers(); }
  Result<uint8_t*> WeightPlace(uint64_t offset, uint64_t bytes) override;
  Status SetReceived(uint64_t bytes) override;
  uint64_t extra_weight_bytes() const override { return store_->widened_bytes(); }
  Result<std::unique_ptr<VisionEncoder>> CreateVisionEncoder(
      const VisionEncoderOptions& options) override;
  Result<std::unique_ptr<Decoder>> CreateDecoder(const DecoderOptions& options) override;

  // Changes with SetReceived only.
  const WeightStore& store() const { return *store_; }

 private:
  CpuBackend(const ModelDescription& model, size_t threads) : model_(model), runner_(threads) {}
  Status Bind(std::optional<BorrowedWeights> borrowed);

  const ModelDescription& model_;
  PlanRunner runner_;
  std::unique_ptr<WeightStore> store_;
  FastVitHdWeights vision_weights_;
  Qwen2Weights decoder_weights_;
};

// The factory of a backend with `threads` threads, the caller's included.
BackendFactory MakeCpuBackend(size_t threads);

// The same for a panel16 file whose weights are read in place: the model is complete at once.
BackendFactory MakeCpuBackend(size_t threads, BorrowedWeights weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CPU_CPU_BACKEND_H_
