// FastViTHD and the projector in inference form (BatchNorm and parallel branches folded):
// [H, W, 3] -> [tokens, decoder width]. Feature maps are channels-last, so that a 1x1 convolution
// is a matrix product over pixels and an output pixel is already a token.
#ifndef TINYVLM_VISION_FASTVITHD_H_
#define TINYVLM_VISION_FASTVITHD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/aligned.h"
#include "parallel/plan_runner.h"
#include "vision/fastvithd_weights.h"
#include "weights/linear.h"

namespace tinyvlm {

class FastVitHd : public VisionEncoder {
 public:
  // Plans the tower for images of one size and allocates every buffer. `weights` (and the store
  // behind it) and `runner` must outlive the tower.
  static Result<std::unique_ptr<FastVitHd>> Create(const VisionConfig& config,
                                                   const FastVitHdWeights& weights,
                                                   const VisionEncoderOptions& options,
                                                   PlanRunner& runner);

  Result<std::shared_ptr<Embeddings>> NewEmbeddings() override;
  Status Begin(const uint8_t* pixels, std::shared_ptr<Embeddings> into) override;
  Status BeginNormalized(const float* values, std::shared_ptr<Embeddings> into) override;
  Result<RunState> Advance(double deadline_ms) override {
    return runner_.Advance(plan_, deadline_ms);
  }
  size_t tokens() const override { return tokens_; }
  uint64_t memory_bytes() const override { return memory_bytes_; }
  std::vector<OperationTime> Profile() const override { return plan_.Profile(); }

 private:
  // A feature map at some point of the plan: [h, w, c] at `data`.
  struct Map {
    float* data;
    size_t h, w, c;
    size_t pixels() const { return h * w; }
  };

  FastVitHd(const VisionConfig& config, const FastVitHdWeights& weights,
            const VisionEncoderOptions& options, PlanRunner& runner)
      : config_(config),
        weights_(weights),
        compute_(options.compute),
        workers_(runner.workers()),
        taps_(options.taps),
        runner_(runner) {}

  Status Plan(size_t height, size_t width);
  void PlanStem(size_t height, size_t width);
  void PlanDownsample(size_t stage);
  void PlanDepthwise(const char* name, uint64_t needs, const ConvWeights& conv, size_t kernel,
                     size_t multiplier);
  Status PlanAttention(const FastVitHdBlockWeights& block);
  Status PlanConvFfn(const FastVitHdBlockWeights& block, size_t hidden);
  Status PlanFinal();
  Status PlanProjector();

  // Starts the plan with what input_ holds.
  void Start(std::shared_ptr<Embeddings> into);

  // The matrix product out = post(W x + b) over `rows` rows, cut into tiles of rows x columns;
  // `post` finishes one row's columns [n0, n1) in place. Where `out` is null the product is the
  // embeddings of the image at hand.
  using Post = std::function<void(float* out, size_t row, size_t n0, size_t n1)>;
  void PlanProduct(const char* name, uint64_t needs, const Linear& linear, const Rows& x,
                   size_t rows, float* out, Post post);

  // Makes the spare buffer the current map, of this size.
  void SwapMaps(size_t h, size_t w, size_t c);
  void TapMap(std::string name);

  // A step's name in profiles, prefixed with the stage that is being planned.
  std::string StepName(const char* name) const { return stage_ + name; }

  // Buffers of one stage besides its two maps. They are placed in the parts of the map buffers that
  // only the earlier, larger maps use, so they need no extra memory at full size. FreeStageBuffers
  // frees all of them and reserves `map_floats` floats of each map buffer for the current maps.
  Result<uint8_t*> StageBuffer(uint64_t bytes);
  void FreeStageBuffers(uint64_t map_floats);
  Result<Rows> StageRows(size_t rows, size_t width, bool quantized);

  // Scratch of a worker, grown at planning time to the largest step's need.
  void ReserveScratch(uint64_t bytes) {
    scratch_stride_ = bytes > scratch_stride_ ? bytes : scratch_stride_;
  }
  uint8_t* Scratch(size_t worker) {
    return scratch_.data() + worker * static_cast<size_t>(scratch_stride_);
  }

  const VisionConfig config_;
  const FastVitHdWeights& weights_;
  const Compute compute_;
  const size_t workers_;
  Taps* const taps_;
  PlanRunner& runner_;

  ExecutionPlan plan_;
  AlignedBuffer<float> input_;  // [height, width, 3], normalised
  AlignedBuffer<float> maps_[2];
  Map map_{};                        // the current map, at the start of maps_[0] or maps_[1]
  float* spare_ = nullptr;           // the other buffer
  uint64_t stage_used_[2] = {0, 0};  // bytes of each map buffer that are taken
  std::vector<AlignedBuffer<uint8_t>> overflow_;  // stage buffers that fitted in neither
  std::string stage_;                             // "stage0."; empty outside the stages
  AlignedBuffer<uint8_t> scratch_;
  uint64_t scratch_stride_ = 0;
  std::shared_ptr<HostEmbeddings> embeddings_;  // of the image at hand
  size_t tokens_ = 0;
  uint64_t memory_bytes_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_VISION_FASTVITHD_H_
