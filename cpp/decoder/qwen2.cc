#include "decoder/qwen2.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/rounding.h"
#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/quantize.h"

namespace tinyvlm {

namespace {

// Rows of a prompt processed together: enough to read each weight from memory rarely, few enough
// that gate and up stay small.
constexpr size_t kChunkRows = 128;
constexpr size_t kProductColumns = 64;  // columns per tile of a matrix product
// bytes of a tile's results that are kept in scratch
constexpr size_t kColumnsBytes = kChunkRows * kProductColumns * sizeof(float);

// Up to this many rows, reading weights is the bottleneck: tiles then have more columns, so that
// memory is read in long runs (alternating 64-column tiles of gate and up: 27 G multiply-adds/s in
// wasm, where the kernel reaches 37).
constexpr size_t kFewRows = 2;
constexpr size_t kHeadColumns = 1024;  // the head has one row
constexpr size_t kRowsPerTile = 16;    // rows per tile of norms and element-wise steps
constexpr size_t kAttentionRows = 24;  // two of the kernel's groups of rows

}  // namespace

Result<std::unique_ptr<Qwen2>> Qwen2::Create(const DecoderConfig& config,
                                             const Qwen2Weights& weights,
                                             const DecoderOptions& options, PlanRunner& runner) {
  std::unique_ptr<Qwen2> decoder(new Qwen2(config, weights, options, runner));
  TVLM_RETURN_IF_ERROR(decoder->Allocate());
  decoder->Plan();
  return decoder;
}

Result<uint8_t*> Qwen2::NewMemory(uint64_t bytes) {
  TVLM_ASSIGN_OR_RETURN(auto memory,
                        AlignedBuffer<uint8_t>::Allocate(bytes, "decoder activations"));
  memory_bytes_ += memory.size();
  memory_.push_back(std::move(memory));
  return memory_.back().data();
}

Result<Rows> Qwen2::NewRows(size_t width, bool quantized) {
  TVLM_ASSIGN_OR_RETURN(uint8_t* const memory,
                        NewMemory(Rows::Bytes(kChunkRows, width, quantized)));
  return Rows(memory, kChunkRows, width, quantized);
}

Status Qwen2::Allocate() {
  // A buffer gets a quantised form if any product that reads it wants one (types may differ between
  // layers).
  bool norm_i8 = UsesI8(weights_.head, compute_), mixed_i8 = false, down_i8 = false,
       down_f32 = false;
  for (const Qwen2LayerWeights& layer : weights_.layers) {
    for (const Linear* linear : {&layer.q, &layer.k, &layer.v, &layer.gate, &layer.up})
      norm_i8 |= UsesI8(*linear, compute_);
    mixed_i8 |= UsesI8(layer.attention_out, compute_);
    (UsesI8(layer.down, compute_) ? down_i8 : down_f32) = true;
  }
  TVLM_ASSIGN_OR_RETURN(cache_, KvCache::Allocate(config_, context_));
  TVLM_ASSIGN_OR_RETURN(rope_, RopeTable::Create(context_, config_.head_dim, config_.rope_theta));
  TVLM_ASSIGN_OR_RETURN(x_, NewRows(config_.width, false));
  TVLM_ASSIGN_OR_RETURN(norm_, NewRows(config_.width, norm_i8));
  TVLM_ASSIGN_OR_RETURN(q_, NewRows(config_.width, false));
  TVLM_ASSIGN_OR_RETURN(kv_, NewRows(2 * config_.kv_heads * config_.head_dim, false));
  TVLM_ASSIGN_OR_RETURN(mixed_, NewRows(config_.width, mixed_i8));
  if (down_i8) {
    TVLM_ASSIGN_OR_RETURN(uint8_t* const memory,
                          NewMemory(QuantizedRows::Bytes(kChunkRows, config_.ffn)));
    quantized_hidden_ = QuantizedRows::At(memory, kChunkRows, config_.ffn);
  }
  if (down_f32) {
    TVLM_ASSIGN_OR_RETURN(hidden_, NewRows(config_.ffn, false));
  }
  TVLM_ASSIGN_OR_RETURN(logits_, AlignedBuffer<float>::Allocate(config_.vocabulary, "logits"));
  const size_t attention =
      AttentionScratchFloats(std::max(kAttentionRows, config_.heads / config_.kv_heads), context_,
                             config_.head_dim) *
      sizeof(float);
  scratch_stride_ = std::max(
      2 * kColumnsBytes + MultiplyScratchBytes(std::max(config_.width, config_.ffn)), attention);
  scratch_stride_ = static_cast<size_t>(AlignUp(scratch_stride_));
  TVLM_ASSIGN_OR_RETURN(scratch_, AlignedBuffer<uint8_t>::Allocate(
                                      uint64_t{scratch_stride_} * workers_, "decoder scratch"));
  memory_bytes_ +=
      cache_.bytes() + logits_.size() * sizeof(float) + scratch_.size() + rope_.bytes();
  return Status();
}

void Qwen2::Tap(std::string name, const float* values) {
  if (taps_ == nullptr) return;
  plan_.OnDone([this, name = std::move(name), values] {
    taps_->OnRows(name, values, chunk_, config_.width);
  });
}

size_t Qwen2::TileColumns(size_t n) const {
  if (chunk_ > kFewRows) return kProductColumns;
  const size_t share = CeilDiv(n, 4 * workers_ * kProductColumns) * kProductColumns;
  return std::min(share, kChunkRows / kFewRows * kProductColumns);
}

void Qwen2::PlanProducts(const char* name, uint64_t needs, std::vector<Product> products,
                         const Rows* x) {
  uint64_t weights = 0;
  for (const Product& product : products)
    weights += uint64_t{product.linear->weights.n} * product.linear->weights.k;
  const size_t k = products.front().linear->weights.k;
  plan_.Add(
      name, needs,
      [this, products, weights, k] {
        size_t tiles = 0, columns = 0;
        for (const Product& product : products) {
          const size_t n = product.linear->weights.n;
          tiles += CeilDiv(n, TileColumns(n));
          columns = std::max(columns, TileColumns(n));
        }
        return Tiling{tiles, uint64_t{chunk_} * columns * k, uint64_t{chunk_} * weights};
      },
      [this, products, x](size_t tile, size_t worker) {
        for (const Product& product : products) {
          const size_t n = product.linear->weights.n, columns = TileColumns(n),
                       tiles = CeilDiv(n, columns);
          if (tile >= tiles) {
            tile -= tiles;
            continue;
          }
          const size_t n0 = tile * columns, n1 = std::min(n0 + columns, n);
          MultiplyRows(*product.linear, compute_, *x, 0, chunk_, product.out + n0, n, n0, n1,
                       Scratch(worker));
          return;
        }
      });
}

void Qwen2::PlanAddProduct(const char* name, uint64_t needs, const Linear& linear, const Rows* x,
                           const QuantizedRows* quantized) {
  const size_t n = linear.weights.n, k = linear.weights.k;
  plan_.Add(
      name, needs,
      [this, n, k] {
        return Tiling{CeilDiv(n, TileColumns(n)), uint64_t{chunk_} * TileColumns(n) * k,
                      uint64_t{chunk_} * n * k};
      },
      [this, &linear, x, quantized, n](size_t tile, size_t worker) {
        const size_t n0 = tile * TileColumns(n), n1 = std::min(n0 + TileColumns(n), n),
                     columns = n1 - n0;
        float* const y = reinterpret_cast<float*>(Scratch(worker));
        uint8_t* const scratch = Scratch(worker) + kColumnsBytes;
        if (quantized != nullptr) {
          MultiplyQuantized(linear, *quantized, chunk_, y, columns, n0, n1, scratch);
        } else {
          MultiplyRows(linear, compute_, *x, 0, chunk_, y, columns, n0, n1, scratch);
        }
        for (size_t r = 0; r < chunk_; ++r)
          AddRows(x_.row(r) + n0, y + r * columns, columns, x_.row(r) + n0);
      });
}

void Qwen2::PlanNorm(const char* name, uint64_t needs, const float* weight, Rows* out) {
  plan_.Add(
      name, needs,
      [this] {
        return Tiling{CeilDiv(chunk_, kRowsPerTile), uint64_t{kRowsPerTile} * config_.width * 8};
      },
      [this, weight, out](size_t tile, size_t) {
        const size_t r0 = tile * kRowsPerTile, r1 = std::min(r0 + kRowsPerTile, chunk_);
        RmsNormRows(x_.row(r0), weight, config_.rms_epsilon, r1 - r0, config_.width, out->row(r0));
        out->Finish(r0, r1);
      });
}

void Qwen2::PlanFinish(uint64_t needs, Rows* rows) {
  plan_.Add(
      "quantize", needs,
      [this, rows] {
        return Tiling{CeilDiv(chunk_, kRowsPerTile), uint64_t{kRowsPerTile} * rows->width() * 4};
      },
      [this, rows](size_t tile, size_t) {
        rows->Finish(tile * kRowsPerTile, std::min((tile + 1) * kRowsPerTile, chunk_));
      });
}

void Qwen2::Plan() {
  plan_.Add(
      "embedding", weights_.embedding_needs,
      [this] { return Tiling{chunk_, uint64_t{config_.width} * 4}; },
      [this](size_t r, size_t) {
        const DecoderRow& row = rows_[done_rows_ + r];
        if (row.embeddings != nullptr) {
          // All embeddings of this backend are in the host's memory.
          const auto* const image = static_cast<const HostEmbeddings*>(row.embeddings);
          std::copy_n(image->row(row.index), config_.width, x_.row(r));
        } else {
          UnpackRow(weights_.embedding, static_cast<size_t>(row.token), x_.row(r));
        }
      });
  Tap("inputs_embeds", x_.row(0));
  for (size_t n = 0; n < config_.layers; ++n) {
    PlanLayer(n);
    Tap(Format("layer%zu", n), x_.row(0));
  }
  PlanHead();
}

void Qwen2::PlanLayer(size_t n) {
  const Qwen2LayerWeights& layer = weights_.layers[n];
  const size_t width = config_.width, head_dim = config_.head_dim,
               kv_width = config_.kv_heads * head_dim;
  const size_t group = config_.heads / config_.kv_heads;

  // a = RMSNorm(x); q, k, v = a W^T + b
  PlanNorm("attention_norm", layer.needs, layer.attention_norm, &norm_);
  PlanProducts("attention_qkv", layer.needs,
               {{&layer.q, q_.row(0)},
                {&layer.k, kv_.row(0)},
                {&layer.v, kv_.row(0) + kChunkRows * kv_width}},
               &norm_);

  // rope(q, k at position p); k and v into the cache
  plan_.Add(
      "rope", layer.needs,
      [this, width] {
        return Tiling{CeilDiv(chunk_, kRowsPerTile), uint64_t{kRowsPerTile} * width * 8};
      },
      [this, n, head_dim, kv_width](size_t tile, size_t) {
        const size_t r0 = tile * kRowsPerTile, r1 = std::min(r0 + kRowsPerTile, chunk_);
        float* const keys = kv_.row(0);
        const float* const values = kv_.row(0) + kChunkRows * kv_width;
        for (size_t r = r0; r < r1; ++r) {
          const size_t p = position_ + r;
          ApplyRope(q_.row(r), config_.heads, head_dim, rope_.cos(p), rope_.sin(p));
          ApplyRope(keys + r * kv_width, config_.kv_heads, head_dim, rope_.cos(p), rope_.sin(p));
          for (size_t h = 0; h < config_.kv_heads; ++h)
            std::copy_n(values + r * kv_width + h * head_dim, head_dim,
                        cache_.values(n, h) + p * head_dim);
        }
        for (size_t h = 0; h < config_.kv_heads; ++h) {
          PackKeys(keys + r0 * kv_width + h * head_dim, kv_width, position_ + r0, r1 - r0, head_dim,
                   cache_.keys(n, h));
        }
      });

  // o = softmax(q k^T / sqrt(head_dim) + causal) v; query head i reads kv head i / group. For a
  // single row, the query heads of a kv head are the rows of one tile, which reads its keys and
  // values once.
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  plan_.Add(
      "attention", layer.needs,
      [this, head_dim] {
        if (chunk_ == 1)
          return Tiling{config_.kv_heads, uint64_t{config_.heads / config_.kv_heads} *
                                              (position_ + 1) * head_dim * 4};
        const size_t rows = std::min(chunk_, kAttentionRows);
        return Tiling{CeilDiv(chunk_, kAttentionRows) * config_.heads,
                      uint64_t{rows} * (position_ + chunk_) * head_dim * 4};
      },
      [this, n, head_dim, width, group, scale](size_t tile, size_t worker) {
        float* const scratch = reinterpret_cast<float*>(Scratch(worker));
        if (chunk_ == 1) {
          const size_t q = tile * group * head_dim;
          return AttentionTile(q_.row(0) + q, head_dim, group, cache_.keys(n, tile),
                               cache_.values(n, tile), head_dim, position_ + 1, /*causal=*/false,
                               head_dim, scale, mixed_.row(0) + q, head_dim, scratch);
        }
        const size_t head = tile % config_.heads, r0 = tile / config_.heads * kAttentionRows,
                     r1 = std::min(r0 + kAttentionRows, chunk_);
        AttentionTile(q_.row(r0) + head * head_dim, width, r1 - r0, cache_.keys(n, head / group),
                      cache_.values(n, head / group), head_dim, position_ + r0 + 1,
                      /*causal=*/true, head_dim, scale, mixed_.row(r0) + head * head_dim, width,
                      scratch);
      });
  PlanFinish(layer.needs, &mixed_);

  // x = x + concat(o) Wo^T
  PlanAddProduct("attention_out", layer.needs, layer.attention_out, &mixed_, nullptr);

  // m = RMSNorm(x); x = x + (silu(m Wg^T) * (m Wu^T)) Wd^T. A tile computes, activates and
  // quantises its columns of the hidden rows.
  PlanNorm("ffn_norm", layer.needs, layer.ffn_norm, &norm_);
  const bool quantized = UsesI8(layer.down, compute_);
  const size_t ffn = config_.ffn;
  plan_.Add(
      "ffn_gate_up", layer.needs,
      [this, width, ffn] {
        return Tiling{CeilDiv(ffn, TileColumns(ffn)),
                      uint64_t{chunk_} * 2 * TileColumns(ffn) * width,
                      uint64_t{chunk_} * 2 * ffn * width};
      },
      [this, &layer, quantized, ffn](size_t tile, size_t worker) {
        const size_t n0 = tile * TileColumns(ffn), n1 = std::min(n0 + TileColumns(ffn), ffn),
                     columns = n1 - n0;
        float* const gate = reinterpret_cast<float*>(Scratch(worker));
        // In floats, as is meant. NOLINTNEXTLINE(bugprone-sizeof-expression)
        float* const up = gate + kColumnsBytes / sizeof(float);
        uint8_t* const scratch = Scratch(worker) + 2 * kColumnsBytes;
        MultiplyRows(layer.gate, compute_, norm_, 0, chunk_, gate, columns, n0, n1, scratch);
        MultiplyRows(layer.up, compute_, norm_, 0, chunk_, up, columns, n0, n1, scratch);
        SiluMul(gate, up, gate, chunk_ * columns);
        if (quantized) {
          QuantizeBlocks(gate, columns, chunk_, n0 / 32, n1 / 32, quantized_hidden_);
        } else {
          for (size_t r = 0; r < chunk_; ++r)
            std::copy_n(gate + r * columns, columns, hidden_.row(r) + n0);
        }
      });
  PlanAddProduct("ffn_down", layer.needs, layer.down, &hidden_,
                 quantized ? &quantized_hidden_ : nullptr);
}

// RMSNorm, then logits, of the last row only; with taps, RMSNorm of every row first.
void Qwen2::PlanHead() {
  const uint64_t needs = weights_.head_needs;
  if (taps_ != nullptr) {
    PlanNorm("output_norm", needs, weights_.output_norm, &norm_);
    Tap("final_norm", norm_.row(0));
  }
  plan_.Add(
      "output_norm", needs,
      [this] { return Tiling{IsLastChunk() ? size_t{1} : size_t{0}, config_.width * 8}; },
      [this](size_t, size_t) {
        RmsNormRows(x_.row(chunk_ - 1), weights_.output_norm, config_.rms_epsilon, 1, config_.width,
                    norm_.row(0));
        norm_.Finish(0, 1);
      });
  plan_.Add(
      "head", needs,
      [this] {
        if (!IsLastChunk()) return Tiling{};
        return Tiling{CeilDiv(config_.vocabulary, kHeadColumns),
                      uint64_t{kHeadColumns} * config_.width,
                      uint64_t{config_.vocabulary} * config_.width};
      },
      [this](size_t tile, size_t worker) {
        const size_t n0 = tile * kHeadColumns, n1 = std::min(n0 + kHeadColumns, config_.vocabulary);
        MultiplyRows(weights_.head, compute_, norm_, 0, 1, logits_.data() + n0, config_.vocabulary,
                     n0, n1, Scratch(worker));
      });
}

Status Qwen2::Begin(std::span<const DecoderRow> rows) {
  for (const DecoderRow& row : rows) {
    if (row.sequence != 0)
      return Error(ErrorCode::kInvalidArgument,
                   "this decoder holds one sequence: 0 wanted, %u found", row.sequence);
  }
  TVLM_DCHECK(!rows.empty() && position_ + rows.size() <= context_);
  rows_ = rows;
  done_rows_ = 0;
  chunk_ = std::min(kChunkRows, rows_.size());
  plan_.Restart();
  return Status();
}

Result<RunState> Qwen2::Advance(double deadline_ms) {
  while (chunk_ != 0) {
    const RunState state = runner_.Advance(plan_, deadline_ms);
    if (state != RunState::kDone) return state;
    position_ += chunk_;
    done_rows_ += chunk_;
    chunk_ = std::min(kChunkRows, rows_.size() - done_rows_);
    plan_.Restart();
  }
  return RunState::kDone;
}

Result<int32_t> Qwen2::Choose(Sampler& sampler, size_t valid, std::span<const int32_t> history,
                              std::span<const uint8_t> allowed) {
  return sampler.Sample({logits_.data(), logits_.size()}, valid, history, allowed);
}

void Qwen2::Rewind(size_t position) {
  TVLM_DCHECK(position <= position_);
  position_ = position;
  rows_ = {};
  done_rows_ = 0;
  chunk_ = 0;
}

}  // namespace tinyvlm
