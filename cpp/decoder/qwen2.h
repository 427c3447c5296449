// The Qwen2 decoder: embeddings -> logits, with a KV cache. Rows are processed in chunks; a step is
// a chunk of one row.
#ifndef TINYVLM_DECODER_QWEN2_H_
#define TINYVLM_DECODER_QWEN2_H_

#include <functional>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "base/taps.h"
#include "decoder/decoder.h"
#include "decoder/kv_cache.h"
#include "decoder/qwen2_config.h"
#include "decoder/qwen2_weights.h"
#include "kernels/rope.h"
#include "weights/linear.h"

namespace tinyvlm {

class Qwen2 : public Decoder {
 public:
  // Allocates the cache and every buffer for `context` rows. `weights` (and the store behind it)
  // must outlive the decoder. `taps` may be null; with taps the last norm is computed for every
  // row.
  static Result<std::unique_ptr<Qwen2>> Create(const Qwen2Config& config,
                                               const Qwen2Weights& weights, size_t context,
                                               Compute compute, size_t workers, Taps* taps);

  void Begin(std::span<const DecoderRow> rows) override;
  RunState Advance(ThreadPool& pool, double deadline_ms, uint64_t ready_bytes) override;
  float* logits() override { return logits_.data(); }
  size_t vocabulary() const override { return config_.vocabulary; }
  size_t position() const override { return position_; }
  size_t context() const override { return context_; }
  void Rewind(size_t position) override;
  uint64_t memory_bytes() const override { return memory_bytes_; }
  const TileProgram& program() const { return program_; }

 private:
  Qwen2(const Qwen2Config& config, const Qwen2Weights& weights, size_t context, Compute compute,
        size_t workers, Taps* taps)
      : config_(config),
        weights_(weights),
        context_(context),
        compute_(compute),
        workers_(workers),
        taps_(taps) {}

  Status Allocate();
  void Plan();
  void PlanLayer(size_t layer);
  void PlanHead();
  // A product of a step of several: out is [chunk, n].
  struct Product {
    const Linear* linear;
    float* out;
  };
  size_t TileColumns(size_t n) const;  // of a product with n columns and the present rows
  void PlanProducts(const char* name, uint64_t needs, std::vector<Product> products, const Rows* x);
  // x_ += the product of x, or where it is not null of `quantized`.
  void PlanAddProduct(const char* name, uint64_t needs, const Linear& linear, const Rows* x,
                      const QuantizedRows* quantized);
  void PlanNorm(const char* name, uint64_t needs, const float* weight, Rows* out);
  void PlanFinish(uint64_t needs, Rows* rows);
  void Tap(std::string name, const float* values);
  uint8_t* Scratch(size_t worker) { return scratch_.data() + worker * scratch_stride_; }
  Result<uint8_t*> NewMemory(uint64_t bytes);
  Result<Rows> NewRows(size_t width, bool quantized);
  bool IsLastChunk() const { return done_rows_ + chunk_ == rows_.size(); }

  const Qwen2Config config_;
  const Qwen2Weights& weights_;
  const size_t context_;
  const Compute compute_;
  const size_t workers_;
  Taps* const taps_;

  TileProgram program_;
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
