#include "vision/fastvithd.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/rounding.h"
#include "image/preprocess.h"
#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/conv2d.h"
#include "kernels/depthwise_conv.h"
#include "kernels/norm.h"
#include "kernels/quantize.h"

namespace tinyvlm {

namespace {

// A strip of pixels of a fused step fits into a core's L2 cache.
constexpr size_t kStripBytes = 256 * 1024;

// At most this many pixels per strip of a fused ConvFFN: 200 kB with 1536 int8 hidden channels, and
// an unpacked panel of weights is used for all of them. A multiple of the rows that most matrix
// kernels process at a time (not of the 12 with AVX-512), as is kFfnStripStep.
constexpr size_t kFfnStripPixels = 128;
constexpr size_t kFfnStripStep = 8;
constexpr size_t kHiddenColumns = 64;  // made, activated and quantised together

// Above this many weights in its two 1x1 layers, a fused block would read more weights per strip
// than the cache holds. Such blocks (the attention stages of the full-size tower) run layer by
// layer instead, in tiles of rows and columns.
constexpr size_t kMaxFusedWeights = 1'500'000;

constexpr size_t kStemRows = 4;       // output rows per tile of the fused stem
constexpr size_t kProductRows = 256;  // rows and columns per tile of a plain matrix product
constexpr size_t kProductColumns = 64;
constexpr size_t kDepthwisePixels = 128;
constexpr size_t kNormRows = 64;        // rows of a layer norm or of quantising
constexpr size_t kAttentionRows = 256;  // every tile packs the keys of its head
constexpr float kLayerNormEpsilon = 1e-5f;

// Hands out consecutive parts of a worker's scratch.
class ScratchCutter {
 public:
  explicit ScratchCutter(uint8_t* memory) : memory_(memory) {}
  uint8_t* Take(uint64_t bytes) {
    uint8_t* part = memory_;
    memory_ += AlignUp(bytes);
    return part;
  }
  float* Floats(uint64_t count) { return reinterpret_cast<float*>(Take(count * sizeof(float))); }

 private:
  uint8_t* memory_;
};

}  // namespace

Result<std::unique_ptr<FastVitHd>> FastVitHd::Create(const VisionConfig& config,
                                                     const FastVitHdWeights& weights,
                                                     const VisionEncoderOptions& options,
                                                     PlanRunner& runner) {
  std::unique_ptr<FastVitHd> tower(new FastVitHd(config, weights, options, runner));
  TVLM_RETURN_IF_ERROR(tower->Plan(options.height, options.width));
  return tower;
}

Result<std::shared_ptr<Embeddings>> FastVitHd::NewEmbeddings() {
  TVLM_ASSIGN_OR_RETURN(std::shared_ptr<Embeddings> embeddings,
                        HostEmbeddings::Allocate(tokens_, config_.text_dim));
  return embeddings;
}

Status FastVitHd::Begin(const uint8_t* pixels, std::shared_ptr<Embeddings> into) {
  NormalizePixels(pixels, input_.size() / 3, config_.mean, config_.std, input_.data());
  Start(std::move(into));
  return Status();
}

Status FastVitHd::BeginNormalized(const float* values, std::shared_ptr<Embeddings> into) {
  std::copy_n(values, input_.size(), input_.data());
  Start(std::move(into));
  return Status();
}

void FastVitHd::Start(std::shared_ptr<Embeddings> into) {
  TVLM_DCHECK(into->tokens() == tokens_ && into->width() == config_.text_dim);
  // All embeddings of this backend are in the host's memory.
  embeddings_ = std::static_pointer_cast<HostEmbeddings>(std::move(into));
  plan_.Restart();
}

Status FastVitHd::Plan(size_t height, size_t width) {
  TVLM_ASSIGN_OR_RETURN(input_,
                        AlignedBuffer<float>::Allocate(uint64_t{3} * height * width, "image"));

  // The largest map decides the size of both map buffers.
  size_t h = CeilDiv(CeilDiv(height, 2), 2), w = CeilDiv(CeilDiv(width, 2), 2);
  uint64_t largest = 0;
  for (size_t s = 0; s < config_.stages.size(); ++s) {
    if (s > 0) h = CeilDiv(h, 2), w = CeilDiv(w, 2);
    largest = std::max<uint64_t>(largest, uint64_t{h} * w * config_.stages[s].channels);
  }
  largest = std::max<uint64_t>(largest, uint64_t{h} * w * config_.feature_dim);
  for (auto& map : maps_) {
    TVLM_ASSIGN_OR_RETURN(map, AlignedBuffer<float>::Allocate(largest, "vision activations"));
  }
  map_ = Map{maps_[0].data(), 0, 0, 0};
  spare_ = maps_[1].data();

  PlanStem(height, width);
  TapMap("stem");
  for (size_t s = 0; s < config_.stages.size(); ++s) {
    const VisionConfig::Stage& stage = config_.stages[s];
    const FastVitHdStageWeights& weights = weights_.stages[s];
    stage_ = Format("stage%zu.", s);
    if (s > 0) {
      PlanDownsample(s);
      TapMap(Format("stage%zu.downsample", s));
    }
    FreeStageBuffers(uint64_t{map_.pixels()} * map_.c);
    if (stage.attention) {
      PlanDepthwise("cpe", weights.cpe_needs, weights.cpe, 7, 1);
      TapMap(Format("stage%zu.pos_emb", s));
    }
    for (const FastVitHdBlockWeights& block : weights.blocks) {
      if (stage.attention) {
        TVLM_RETURN_IF_ERROR(PlanAttention(block));
        FreeStageBuffers(uint64_t{map_.pixels()} * map_.c);
      } else {
        PlanDepthwise("mixer", block.needs, block.mixer, 3, 1);
      }
      TVLM_RETURN_IF_ERROR(PlanConvFfn(block, stage.hidden));
      FreeStageBuffers(uint64_t{map_.pixels()} * map_.c);
    }
    TapMap(Format("stage%zu", s));
  }
  stage_.clear();
  TVLM_RETURN_IF_ERROR(PlanFinal());
  TapMap("final_conv");
  TVLM_RETURN_IF_ERROR(PlanProjector());

  TVLM_ASSIGN_OR_RETURN(
      scratch_, AlignedBuffer<uint8_t>::Allocate(scratch_stride_ * workers_, "vision scratch"));
  memory_bytes_ =
      (input_.size() + maps_[0].size() + maps_[1].size()) * sizeof(float) + scratch_.size();
  for (const auto& buffer : overflow_) memory_bytes_ += buffer.size();
  return Status();
}

void FastVitHd::SwapMaps(size_t h, size_t w, size_t c) {
  float* const previous = map_.data;
  map_ = Map{spare_, h, w, c};
  spare_ = previous;
}

void FastVitHd::TapMap(std::string name) {
  if (taps_ == nullptr) return;
  plan_.OnDone([taps = taps_, name = std::move(name), map = map_] {
    taps->OnMap(name, map.data, map.h, map.w, map.c);
  });
}

void FastVitHd::FreeStageBuffers(uint64_t map_floats) {
  stage_used_[0] = stage_used_[1] = AlignUp(map_floats * sizeof(float));
}

Result<uint8_t*> FastVitHd::StageBuffer(uint64_t bytes) {
  bytes = AlignUp(bytes);
  for (size_t i = 0; i < 2; ++i) {
    if (stage_used_[i] + bytes > maps_[i].size() * sizeof(float)) continue;
    uint8_t* const part = reinterpret_cast<uint8_t*>(maps_[i].data()) + stage_used_[i];
    stage_used_[i] += bytes;
    return part;
  }
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<uint8_t> buffer,
                        AlignedBuffer<uint8_t>::Allocate(bytes, "vision activations"));
  overflow_.push_back(std::move(buffer));
  return overflow_.back().data();
}

Result<Rows> FastVitHd::StageRows(size_t rows, size_t width, bool quantized) {
  TVLM_ASSIGN_OR_RETURN(uint8_t* const memory, StageBuffer(Rows::Bytes(rows, width, quantized)));
  return Rows(memory, rows, width, quantized);
}

// stem: GELU(conv3x3/2), GELU(depthwise3x3/2), GELU(1x1), fused over strips of output rows so that
// the first, largest map never exists.
void FastVitHd::PlanStem(size_t height, size_t width) {
  const size_t c = config_.stages.front().channels;
  const size_t h0 = CeilDiv(height, 2), w0 = CeilDiv(width, 2), h1 = CeilDiv(h0, 2),
               w1 = CeilDiv(w0, 2);
  const bool i8 = UsesI8(weights_.stem2, compute_);
  const uint64_t strip_floats = uint64_t{2 * kStemRows + 1} * w0 * c;
  ReserveScratch(AlignUp(strip_floats * sizeof(float)) + Rows::Bytes(kStemRows * w1, c, i8) +
                 MultiplyScratchBytes(c));
  SwapMaps(h1, w1, c);

  const Tiling tiling{CeilDiv(h1, kStemRows), uint64_t{kStemRows} * w1 * c * (c + 9 + 4 * 27),
                      uint64_t{h1} * w1 * c * c};
  plan_.Add("stem", weights_.stem_needs, tiling,
            [=, this, out = map_.data](size_t tile, size_t worker) {
              const size_t y0 = tile * kStemRows, y1 = std::min(y0 + kStemRows, h1);
              // rows of the first map that the 3x3 windows touch
              const size_t s0 = y0 == 0 ? 0 : 2 * y0 - 1, s1 = std::min(2 * y1, h0);
              ScratchCutter scratch(Scratch(worker));
              float* const strip = scratch.Floats(strip_floats);
              Rows rows(scratch.Take(Rows::Bytes(kStemRows * w1, c, i8)), kStemRows * w1, c, i8);

              Conv2dStem(input_.data(), height, width, c, weights_.stem0.weights,
                         weights_.stem0.bias, s0, s1, strip);
              Gelu(strip, (s1 - s0) * w0 * c);

              DepthwiseShape shape;
              shape.h = h0, shape.w = w0, shape.cin = c, shape.multiplier = 1, shape.kernel = 3,
              shape.stride = 2, shape.row_begin = s0;
              const size_t pixels = (y1 - y0) * w1;
              DepthwiseConv(shape, strip, weights_.stem1.weights, weights_.stem1.bias, y0 * w1,
                            y1 * w1, rows.row(0));
              Gelu(rows.row(0), pixels * c);

              rows.Finish(0, pixels);
              float* const to = out + y0 * w1 * c;
              MultiplyRows(weights_.stem2, compute_, rows, 0, pixels, to, c, 0, c, scratch.Take(0));
              Gelu(to, pixels * c);
            });
}

// downsample: GELU(depthwise7x7/2), GELU(1x1), over strips of output pixels.
void FastVitHd::PlanDownsample(size_t stage) {
  const FastVitHdStageWeights& weights = weights_.stages[stage];
  const Map in = map_;
  const size_t c = config_.stages[stage].channels;
  SwapMaps(CeilDiv(in.h, 2), CeilDiv(in.w, 2), c);
  const Map out = map_;
  const bool i8 = UsesI8(weights.down_pointwise, compute_);
  const size_t strip = std::clamp<size_t>(kStripBytes / (c * sizeof(float)), 16, 128);
  ReserveScratch(Rows::Bytes(strip, c, i8) + MultiplyScratchBytes(c));

  const uint64_t macs = uint64_t{strip} * c * (c + 49 * 2),
                 products = uint64_t{out.pixels()} * c * c;
  plan_.Add(StepName("downsample"), weights.down_needs,
            Tiling{CeilDiv(out.pixels(), strip), macs, products},
            [=, this, &weights](size_t tile, size_t worker) {
              const size_t p0 = tile * strip, p1 = std::min(p0 + strip, out.pixels());
              ScratchCutter scratch(Scratch(worker));
              Rows rows(scratch.Take(Rows::Bytes(strip, c, i8)), strip, c, i8);
              DepthwiseShape shape;
              shape.h = in.h, shape.w = in.w, shape.cin = in.c, shape.multiplier = c / in.c,
              shape.kernel = 7, shape.stride = 2;
              DepthwiseConv(shape, in.data, weights.down_depthwise.weights,
                            weights.down_depthwise.bias, p0, p1, rows.row(0));
              Gelu(rows.row(0), (p1 - p0) * c);
              rows.Finish(0, p1 - p0);
              float* const to = out.data + p0 * c;
              MultiplyRows(weights.down_pointwise, compute_, rows, 0, p1 - p0, to, c, 0, c,
                           scratch.Take(0));
              Gelu(to, (p1 - p0) * c);
            });
}

// A stride-1 depthwise convolution of the current map.
void FastVitHd::PlanDepthwise(const char* name, uint64_t needs, const ConvWeights& conv,
                              size_t kernel, size_t multiplier) {
  const Map in = map_;
  SwapMaps(in.h, in.w, in.c * multiplier);
  const Map out = map_;
  const uint64_t macs = uint64_t{kDepthwisePixels} * out.c * kernel * kernel * 2;
  plan_.Add(StepName(name), needs, Tiling{CeilDiv(out.pixels(), kDepthwisePixels), macs},
            [=](size_t tile, size_t) {
              const size_t p0 = tile * kDepthwisePixels,
                           p1 = std::min(p0 + kDepthwisePixels, out.pixels());
              DepthwiseShape shape;
              shape.h = in.h, shape.w = in.w, shape.cin = in.c, shape.multiplier = multiplier,
              shape.kernel = kernel, shape.stride = 1;
              DepthwiseConv(shape, in.data, conv.weights, conv.bias, p0, p1, out.data + p0 * out.c);
            });
}

void FastVitHd::PlanProduct(const char* name, uint64_t needs, const Linear& linear, const Rows& x,
                            size_t rows, float* out, Post post) {
  const size_t n = linear.weights.n, k = linear.weights.k;
  ReserveScratch(MultiplyScratchBytes(k));
  const size_t row_tiles = CeilDiv(rows, kProductRows);
  const size_t rows_per_tile = std::min(rows, kProductRows);
  const uint64_t macs = uint64_t{rows_per_tile} * std::min(n, kProductColumns) * k;
  plan_.Add(
      StepName(name), needs,
      Tiling{row_tiles * CeilDiv(n, kProductColumns), macs, uint64_t{rows} * n * k},
      [=, this, &linear, post = std::move(post)](size_t tile, size_t worker) {
        // Tiles that share columns follow each other, so that a panel of weights is read
        // from memory once.
        const size_t r0 = tile % row_tiles * kProductRows, r1 = std::min(r0 + kProductRows, rows);
        const size_t n0 = tile / row_tiles * kProductColumns,
                     n1 = std::min(n0 + kProductColumns, n);
        float* const to = out == nullptr ? embeddings_->data() : out;
        MultiplyRows(linear, compute_, x, r0, r1, to + r0 * n + n0, n, n0, n1, Scratch(worker));
        if (post == nullptr) return;
        for (size_t r = r0; r < r1; ++r) post(to + r * n, r, n0, n1);
      });
}

// x + g1 * MHSA(LN(x))
Status FastVitHd::PlanAttention(const FastVitHdBlockWeights& block) {
  const Map in = map_;
  const size_t c = in.c, tokens = in.pixels(), head_dim = config_.head_dim, heads = c / head_dim;
  TVLM_ASSIGN_OR_RETURN(Rows norm, StageRows(tokens, c, UsesI8(block.qkv, compute_)));
  TVLM_ASSIGN_OR_RETURN(uint8_t* const qkv_memory,
                        StageBuffer(uint64_t{tokens} * 3 * c * sizeof(float)));
  float* const qkv = reinterpret_cast<float*>(qkv_memory);
  TVLM_ASSIGN_OR_RETURN(Rows mixed, StageRows(tokens, c, UsesI8(block.attention_out, compute_)));
  SwapMaps(in.h, in.w, c);
  const Map out = map_;

  const size_t norm_tiles = CeilDiv(tokens, kNormRows);
  plan_.Add(StepName("layer_norm"), block.needs, Tiling{norm_tiles, uint64_t{kNormRows} * c * 8},
            [=](size_t tile, size_t) mutable {
              const size_t r0 = tile * kNormRows, r1 = std::min(r0 + kNormRows, tokens);
              LayerNormRows(in.data + r0 * c, block.norm_weight, block.norm_bias, kLayerNormEpsilon,
                            r1 - r0, c, norm.row(r0));
              norm.Finish(r0, r1);
            });
  PlanProduct("attention_qkv", block.needs, block.qkv, norm, tokens, qkv, nullptr);

  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  const size_t row_tiles = CeilDiv(tokens, kAttentionRows);
  ReserveScratch(AlignUp(KeyPanelFloats(tokens, head_dim) * sizeof(float)) +
                 AttentionScratchFloats(kAttentionRows, tokens, head_dim) * sizeof(float));
  plan_.Add(
      StepName("attention"), block.needs,
      Tiling{row_tiles * heads, uint64_t{std::min(tokens, kAttentionRows)} * tokens * head_dim * 4},
      [=, this](size_t tile, size_t worker) mutable {
        const size_t head = tile / row_tiles, r0 = tile % row_tiles * kAttentionRows,
                     r1 = std::min(r0 + kAttentionRows, tokens);
        const float* const q = qkv + head * head_dim;
        ScratchCutter scratch(Scratch(worker));
        float* const keys = scratch.Floats(KeyPanelFloats(tokens, head_dim));
        PackKeys(q + c, 3 * c, 0, tokens, head_dim, keys);
        AttentionTile(q + r0 * 3 * c, 3 * c, r1 - r0, keys, q + 2 * c, 3 * c, tokens,
                      /*causal=*/false, head_dim, scale, mixed.row(r0) + head * head_dim, c,
                      scratch.Floats(0));
      });
  plan_.Add(StepName("quantize"), block.needs, Tiling{norm_tiles, uint64_t{kNormRows} * c * 4},
            [=](size_t tile, size_t) mutable {
              const size_t r0 = tile * kNormRows;
              mixed.Finish(r0, std::min(r0 + kNormRows, tokens));
            });
  PlanProduct("attention_out", block.needs, block.attention_out, mixed, tokens, out.data,
              [=, gamma = block.attention_scale](float* y, size_t r, size_t n0, size_t n1) {
                ScaleAddRows(in.data + r * c + n0, y + n0, gamma + n0, 1, n1 - n0, y + n0);
              });
  return Status();
}

// x + g * ConvFFN(x), ConvFFN = 1x1 down of GELU of 1x1 up of depthwise 7x7.
Status FastVitHd::PlanConvFfn(const FastVitHdBlockWeights& block, size_t hidden) {
  const Map in = map_;
  const size_t c = in.c, pixels = in.pixels();
  const bool up_i8 = UsesI8(block.ffn.up, compute_), down_i8 = UsesI8(block.ffn.down, compute_);
  const float* const gamma = block.ffn_scale;
  DepthwiseShape shape;
  shape.h = in.h, shape.w = in.w, shape.cin = c, shape.multiplier = 1, shape.kernel = 7,
  shape.stride = 1;

  if (2 * c * hidden <= kMaxFusedWeights) {
    // One loop over strips of pixels, so that the hidden map (four times the input, 100 MB in stage
    // 0 at 1024 px) is never stored. Where it is quantised, a strip of it is stored as int8 only.
    // Small maps are cut into smaller strips, so that every worker has some.
    SwapMaps(in.h, in.w, c);
    const Map out = map_;
    const size_t share = workers_ == 1 ? pixels : CeilDiv(pixels, 4 * workers_);
    const size_t strip = std::min(kFfnStripPixels, CeilDiv(share, kFfnStripStep) * kFfnStripStep);
    const uint64_t hidden_bytes = down_i8 ? QuantizedRows::Bytes(strip, hidden)
                                          : AlignUp(uint64_t{strip} * hidden * sizeof(float));
    ReserveScratch(Rows::Bytes(strip, c, up_i8) + hidden_bytes +
                   AlignUp(uint64_t{strip} * kHiddenColumns * sizeof(float)) +
                   AlignUp(uint64_t{strip} * c * sizeof(float)) +
                   MultiplyScratchBytes(std::max(c, hidden)));
    const Tiling tiling{CeilDiv(pixels, strip), uint64_t{strip} * c * (2 * hidden + 98),
                        uint64_t{pixels} * c * 2 * hidden};
    plan_.Add(
        StepName("conv_ffn"), block.needs, tiling, [=, this, &block](size_t tile, size_t worker) {
          const size_t p0 = tile * strip, p1 = std::min(p0 + strip, pixels), count = p1 - p0;
          ScratchCutter scratch(Scratch(worker));
          Rows x(scratch.Take(Rows::Bytes(strip, c, up_i8)), strip, c, up_i8);
          uint8_t* const hidden_memory = scratch.Take(hidden_bytes);
          float* const columns = scratch.Floats(uint64_t{strip} * kHiddenColumns);
          float* const y = scratch.Floats(uint64_t{strip} * c);
          uint8_t* const multiply = scratch.Take(0);
          DepthwiseConv(shape, in.data, block.ffn.depthwise.weights, block.ffn.depthwise.bias, p0,
                        p1, x.row(0));
          x.Finish(0, count);
          if (down_i8) {
            const QuantizedRows h = QuantizedRows::At(hidden_memory, strip, hidden);
            for (size_t n0 = 0; n0 < hidden; n0 += kHiddenColumns) {
              const size_t n1 = std::min(n0 + kHiddenColumns, hidden);
              MultiplyRows(block.ffn.up, compute_, x, 0, count, columns, n1 - n0, n0, n1, multiply);
              Gelu(columns, count * (n1 - n0));
              QuantizeBlocks(columns, n1 - n0, count, n0 / 32, n1 / 32, h);
            }
            MultiplyQuantized(block.ffn.down, h, count, y, c, 0, c, multiply);
          } else {
            Rows h(hidden_memory, strip, hidden, false);
            MultiplyRows(block.ffn.up, compute_, x, 0, count, h.row(0), hidden, 0, hidden,
                         multiply);
            Gelu(h.row(0), count * hidden);
            MultiplyRows(block.ffn.down, compute_, h, 0, count, y, c, 0, c, multiply);
          }
          ScaleAddRows(in.data + p0 * c, y, gamma, count, c, out.data + p0 * c);
        });
    return Status();
  }

  TVLM_ASSIGN_OR_RETURN(Rows x, StageRows(pixels, c, up_i8));
  TVLM_ASSIGN_OR_RETURN(Rows h, StageRows(pixels, hidden, down_i8));
  SwapMaps(in.h, in.w, c);
  const Map out = map_;
  constexpr size_t kStrip = 16;
  plan_.Add(StepName("ffn_depthwise"), block.needs,
            Tiling{CeilDiv(pixels, kStrip), uint64_t{kStrip} * c * 98},
            [=, &block](size_t tile, size_t) mutable {
              const size_t p0 = tile * kStrip, p1 = std::min(p0 + kStrip, pixels);
              DepthwiseConv(shape, in.data, block.ffn.depthwise.weights, block.ffn.depthwise.bias,
                            p0, p1, x.row(p0));
              x.Finish(p0, p1);
            });
  PlanProduct("ffn_up", block.needs, block.ffn.up, x, pixels, h.row(0),
              [](float* y, size_t, size_t n0, size_t n1) { Gelu(y + n0, n1 - n0); });
  plan_.Add(StepName("quantize"), block.needs,
            Tiling{CeilDiv(pixels, kStrip), uint64_t{kStrip} * hidden * 4},
            [=](size_t tile, size_t) mutable {
              h.Finish(tile * kStrip, std::min((tile + 1) * kStrip, pixels));
            });
  PlanProduct("ffn_down", block.needs, block.ffn.down, h, pixels, out.data,
              [=](float* y, size_t r, size_t n0, size_t n1) {
                ScaleAddRows(in.data + r * c + n0, y + n0, gamma + n0, 1, n1 - n0, y + n0);
              });
  return Status();
}

// u = depthwise3x3(x), channels doubled; s = sigmoid(E relu(R mean(u) + r) + e); GELU(u * s).
Status FastVitHd::PlanFinal() {
  const uint64_t needs = weights_.final_needs;
  const size_t pixels = map_.pixels(), c = config_.feature_dim, se = config_.se_dim;
  PlanDepthwise("final_depthwise", needs, weights_.final_depthwise, 3, 2);
  FreeStageBuffers(uint64_t{pixels} * c);
  const Map map = map_;
  TVLM_ASSIGN_OR_RETURN(Rows mean, StageRows(1, c, UsesI8(weights_.se_down, compute_)));
  TVLM_ASSIGN_OR_RETURN(Rows squeezed, StageRows(1, se, UsesI8(weights_.se_up, compute_)));
  TVLM_ASSIGN_OR_RETURN(Rows gate, StageRows(1, c, false));
  ReserveScratch(MultiplyScratchBytes(std::max(c, se)));
  plan_.Add("squeeze_excite", needs, Tiling{1, uint64_t{pixels} * c + 2 * uint64_t{c} * se},
            [=, this](size_t, size_t worker) mutable {
              std::fill(mean.row(0), mean.row(0) + c, 0.0f);
              for (size_t p = 0; p < pixels; ++p)
                AddRows(mean.row(0), map.data + p * c, c, mean.row(0));
              const float scale = 1.0f / static_cast<float>(pixels);
              for (size_t i = 0; i < c; ++i) mean.row(0)[i] *= scale;
              mean.Finish(0, 1);
              MultiplyRows(weights_.se_down, compute_, mean, 0, 1, squeezed.row(0), se, 0, se,
                           Scratch(worker));
              Relu(squeezed.row(0), se);
              squeezed.Finish(0, 1);
              MultiplyRows(weights_.se_up, compute_, squeezed, 0, 1, gate.row(0), c, 0, c,
                           Scratch(worker));
              Sigmoid(gate.row(0), c);
            });
  plan_.Add("final_gelu", needs, Tiling{pixels, uint64_t{c} * 8}, [=](size_t p, size_t) {
    float* const row = map.data + p * c;
    const float* const g = gate.row(0);
    for (size_t i = 0; i < c; ++i) row[i] *= g[i];
    Gelu(row, c);
  });
  return Status();
}

// Linear, GELU, Linear: one row per pixel of the final map.
Status FastVitHd::PlanProjector() {
  const uint64_t needs = weights_.projector_needs;
  const size_t c = map_.c, width = config_.text_dim;
  const Map in = map_;
  tokens_ = map_.pixels();
  TVLM_ASSIGN_OR_RETURN(Rows x, StageRows(tokens_, c, UsesI8(weights_.projector0, compute_)));
  TVLM_ASSIGN_OR_RETURN(Rows h, StageRows(tokens_, width, UsesI8(weights_.projector2, compute_)));
  plan_.Add("quantize", needs, Tiling{tokens_, uint64_t{c} * 4}, [=](size_t r, size_t) mutable {
    std::copy(in.data + r * c, in.data + (r + 1) * c, x.row(r));
    x.Finish(r, r + 1);
  });
  PlanProduct("projector", needs, weights_.projector0, x, tokens_, h.row(0),
              [](float* y, size_t, size_t n0, size_t n1) { Gelu(y + n0, n1 - n0); });
  plan_.Add("quantize", needs, Tiling{tokens_, uint64_t{width} * 4},
            [=](size_t r, size_t) mutable { h.Finish(r, r + 1); });
  PlanProduct("projector", needs, weights_.projector2, h, tokens_, /*out=*/nullptr, nullptr);
  if (taps_ != nullptr) {
    plan_.OnDone(
        [this] { taps_->OnRows("projector", embeddings_->data(), tokens_, config_.text_dim); });
  }
  return Status();
}

}  // namespace tinyvlm
