// The Qwen2 (and Llama) decoder: embeddings -> logits, with a KV cache. Rows are processed in
// chunks; a decoding step is a chunk of one row.
#ifndef TINYVLM_DECODER_QWEN2_H_
#define TINYVLM_DECODER_QWEN2_H_

#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/aligned.h"
#include "decoder/kv_cache.h"
#include "decoder/qwen2_weights.h"
#include "kernels/rope.h"
#include "parallel/plan_runner.h"
#include "weights/linear.h"

namespace tinyvlm {

class Qwen2 : public Decoder {
 public:
  // Allocates the cache and every buffer. `weights` (and the store behind it) and `runner` must
  // outlive the decoder.
  static Result<std::unique_ptr<Qwen2>> Create(const DecoderConfig& config,
                                               const Qwen2Weights& weights,
                                               const DecoderOptions& options, PlanRunner& runner);

  Status Begin(std::span<const DecoderRow> rows) override;
  Result<RunState> Advance(double deadline_ms) override;
  Result<int32_t> Choose(Sampler& sampler, size_t valid, std::span<const int32_t> history,
                         std::span<const uint8_t> allowed) override;
  Result<std::span<const float>> ReadLogits() override {
    return std::span<const float>(logits_.data(), logits_.size());
  }
  size_t position() const override { return position_; }
  size_t context() const override { return context_; }
  void Rewind(size_t position) override;
  uint64_t memory_bytes() const override { return memory_bytes_; }
  uint64_t kv_cache_bytes() const override { return cache_.bytes(); }
  std::vector<OperationTime> Profile() const override { return plan_.Profile(); }

 private:
  Qwen2(const DecoderConfig& config, const Qwen2Weights& weights, const DecoderOptions& options,
        PlanRunner& runner)
      : config_(config),
        weights_(weights),
        context_(options.context),
        compute_(options.compute),
        workers_(runner.workers()),
        taps_(options.taps),
        runner_(runner) {}

  Status Allocate();
  void Plan();
  void PlanLayer(size_t layer);
  void PlanHead();
  // One of several matrix products in a step of the plan: out is [chunk, n].
  struct Product {
    const Linear* linear;
    float* out;
  };
  size_t TileColumns(size_t n) const;  // of a product with n columns, for the current chunk
  void PlanProducts(const char* name, uint64_t needs, std::vector<Product> products, const Rows* x);
  // x_ += W `quantized` or, where that is null, W x.
  void PlanAddProduct(const char* name, uint64_t needs, const Linear& linear, const Rows* x,
                      const QuantizedRows* quantized);
  void PlanNorm(const char* name, uint64_t needs, const float* weight, Rows* out);
  void PlanFinish(uint64_t needs, Rows* rows);
  void Tap(std::string name, const float* values);
  uint8_t* Scratch(size_t worker) { return scratch_.data() + worker * scratch_stride_; }
  Result<uint8_t*> NewMemory(uint64_t bytes);
  Result<Rows> NewRows(size_t width, bool quantized);
  bool IsLastChunk() const { return done_rows_ + chunk_ == rows_.size(); }

  const DecoderConfig config_;
  const Qwen2Weights& weights_;
  const size_t context_;
  const Compute compute_;
  const size_t workers_;
  Taps* const taps_;
  PlanRunner& runner_;

  ExecutionPlan plan_;
  KvCache cache_;
  RopeTable rope_;
  std::vector<AlignedBuffer<uint8_t>> memory_;
  Rows x_;     // [chunk, width]: the residual stream
  Rows norm_;  // [chunk, width]: input of q/k/v, of gate/up, of the head
  Rows q_;     // [chunk, width]
  // [chunk, 2 * kv_heads * head_dim]: keys, then values, before they go into the cache
  Rows kv_;
  Rows mixed_;  // [chunk, width]: output of attention
  // [chunk, ffn]: silu(gate) * up, in the form that the layer's down product reads
  QuantizedRows quantized_hidden_;
  Rows hidden_;
  AlignedBuffer<float> logits_;
  AlignedBuffer<uint8_t> scratch_;
  size_t scratch_stride_ = 0;
  uint64_t memory_bytes_ = 0;

  std::span<const DecoderRow> rows_;  // what Begin was given
  size_t done_rows_ = 0;              // rows of it that are in the cache
  size_t chunk_ = 0;                  // rows being processed, 0 when idle
  size_t position_ = 0;               // rows in the cache
};

}  // namespace tinyvlm

#endif  // TINYVLM_DECODER_QWEN2_H_
