#include "probe_kernels.h"

#include <cstring>

#include "base/aligned.h"
#include "base/half.h"
#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/depthwise_conv.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"

namespace tinyvlm {

namespace {

// Rows per call and columns per call are those of vision/fastvithd.cc and decoder/qwen2.cc: strips
// of a fused ConvFFN, tiles of 256 rows by 64 columns, chunks of 128 rows by 64 columns.
struct ProductShape {
  const char* name;
  size_t m, n, k, columns;  // n is a multiple of columns
  bool quick;
};

constexpr size_t kVocabulary = 151936;
constexpr ProductShape kProducts[] = {
    {"stage 0 fc1", 96, 384, 96, 64, false},    {"stage 0 fc2", 96, 96, 384, 96, false},
    {"stage 1 fc1", 96, 768, 192, 64, false},   {"stage 1 fc2", 96, 192, 768, 192, false},
    {"stage 2 fc1", 96, 1536, 384, 64, true},   {"stage 2 fc2", 96, 384, 1536, 384, false},
    {"stage 3 fc1", 256, 3072, 768, 64, false}, {"stage 3 fc2", 256, 768, 3072, 64, false},
    {"stage 4 fc1", 64, 6144, 1536, 64, false}, {"stage 4 fc2", 64, 1536, 6144, 64, false},
    {"projector 0", 64, 896, 3072, 64, false},  {"projector 2", 64, 896, 896, 64, false},
    {"q, out", 128, 896, 896, 64, false},       {"k, v", 128, 128, 896, 64, false},
    {"gate, up", 128, 4864, 896, 64, false},    {"down", 128, 896, 4864, 64, false},
    {"q, out", 1, 896, 896, 64, true},          {"k, v", 1, 128, 896, 64, false},
    {"gate, up", 1, 4864, 896, 64, false},      {"down", 1, 896, 4864, 64, false},
    {"head", 1, kVocabulary, 896, 64, false},
};

// Numbers that look random and are the same everywhere.
class Noise {
 public:
  uint32_t Next() { return state_ = state_ * 1664525u + 1013904223u; }
  float Uniform() { return static_cast<float>(Next() >> 8) * (2.0f / 16777216.0f) - 1.0f; }

 private:
  uint32_t state_ = 1;
};

Result<AlignedBuffer<float>> RandomFloats(uint64_t count, Noise& noise) {
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<float> floats,
                        AlignedBuffer<float>::Allocate(count, "operands"));
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = noise.Uniform();
  return floats;
}

// Packed weights [n, k]: any codes, and scales near 0.01.
Result<AlignedBuffer<uint8_t>> RandomWeights(DType type, size_t n, size_t k, Noise& noise) {
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> weights,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{n} * RowBytes(type, k), "weights"));
  const size_t block_bytes = GetDTypeInfo(type).block_bytes;
  for (size_t at = 0; at < weights.size(); at += block_bytes) {
    if (type == DType::kF32) {
      const float value = noise.Uniform();
      std::memcpy(&weights[at], &value, sizeof(value));
      continue;
    }
    const uint16_t scale = F32ToF16(0.01f + 0.001f * noise.Uniform());
    std::memcpy(&weights[at], &scale, sizeof(scale));
    for (size_t i = sizeof(scale); i < block_bytes; ++i)
      weights[at + i] = static_cast<uint8_t>(noise.Next() >> 24);
  }
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<uint8_t> scratch,
                        AlignedBuffer<uint8_t>::Allocate(PackScratchBytes(type, k), "scratch"));
  PackInPlace(type, n, k, weights.data(), scratch.data());
  return weights;
}

Result<ProductResult> MeasureProduct(const ProductShape& shape, DType type,
                                     const ProbeEffort& effort) {
  const size_t m = shape.m, n = shape.n, k = shape.k;
  Noise noise;
  TVLM_ASSIGN_OR_RETURN(const auto weights, RandomWeights(type, n, k, noise));
  TVLM_ASSIGN_OR_RETURN(const auto a, RandomFloats(uint64_t{m} * k, noise));
  TVLM_ASSIGN_OR_RETURN(const auto bias, RandomFloats(n, noise));
  TVLM_ASSIGN_OR_RETURN(auto c, AlignedBuffer<float>::Allocate(uint64_t{m} * n, "results"));
  TVLM_ASSIGN_OR_RETURN(auto quantized,
                        AlignedBuffer<uint8_t>::Allocate(QuantizedRows::Bytes(m, k), "operands"));
  const QuantizedRows rows = QuantizedRows::At(quantized.data(), m, k);
  TVLM_ASSIGN_OR_RETURN(
      auto scratch,
      AlignedBuffer<uint8_t>::Allocate(
          std::max(GemmF32ScratchFloats(k) * sizeof(float), GemmI8ScratchBytes(k)), "scratch"));
  QuantizeRows(a.data(), k, m, rows);
  const PackedMatrix matrix{type, n, k, weights.data()};
  // A call is one tile of columns, as in the engine, and the next call goes on where it stopped:
  // all weights pass, and a call is too short to be interrupted.
  size_t n0 = 0;
  const auto multiply = [&] {
    const size_t n1 = n0 + shape.columns;
    if (type == DType::kF32) {
      GemmF32(a.data(), k, m, matrix, bias.data(), c.data() + n0, n, n0, n1,
              reinterpret_cast<float*>(scratch.data()));
    } else {
      GemmI8(rows, m, matrix, bias.data(), c.data() + n0, n, n0, n1, scratch.data(),
             effort.relaxed_dot);
    }
    n0 = n1 == n ? 0 : n1;
  };
  const Spread seconds = MeasureSeconds(effort.rounds, effort.round_ms, multiply);
  const double macs =
      static_cast<double>(m) * static_cast<double>(shape.columns) * static_cast<double>(k);
  return ProductResult{shape.name,
                       GetDTypeInfo(type).name,
                       m,
                       n,
                       k,
                       PerSecond(macs, seconds),
                       static_cast<double>(weights.size()),
                       m == 1};
}

}  // namespace

Result<std::vector<ProductResult>> MeasureProducts(const ProbeEffort& effort) {
  std::vector<ProductResult> results;
  for (const ProductShape& shape : kProducts) {
    if (effort.quick && !shape.quick) continue;
    for (const DType type : {DType::kF32, DType::kQ8_0, DType::kQ4_0}) {
      // 545 MB that no model file has: the head is the embedding, which f32 files alone hold so.
      if (type == DType::kF32 && shape.n == kVocabulary) continue;
      TVLM_ASSIGN_OR_RETURN(ProductResult result, MeasureProduct(shape, type, effort));
      results.push_back(std::move(result));
    }
  }
  return results;
}

namespace {

// Strips of pixels as the tower cuts them.
struct DepthwiseCase {
  const char* name;
  size_t side, channels, kernel, pixels;
};
constexpr DepthwiseCase kDepthwise[] = {
    {"depthwise 3x3, stage 0", 128, 96, 3, 128}, {"depthwise 3x3, stage 2", 32, 384, 3, 128},
    {"depthwise 7x7, stage 0", 128, 96, 7, 168}, {"depthwise 7x7, stage 1", 64, 192, 7, 84},
    {"depthwise 7x7, stage 2", 32, 384, 7, 40},  {"depthwise 7x7, stage 3", 16, 768, 7, 16},
};

struct AttentionCase {
  const char* name;
  size_t rows, keys, head_dim;
};
constexpr AttentionCase kAttention[] = {{"attention, stage 3", 64, 256, 32},
                                        {"attention, prefill", 32, 249, 64},
                                        {"attention, decode", 7, 280, 64}};

}  // namespace

Result<std::vector<OtherResult>> MeasureOthers(const ProbeEffort& effort) {
  std::vector<OtherResult> results;
  Noise noise;
  const auto add = [&](std::string name, std::string size, double values, double macs_per_value,
                       const auto& body) {
    results.push_back({std::move(name), std::move(size),
                       PerSecond(values, MeasureSeconds(effort.rounds, effort.round_ms, body)),
                       macs_per_value});
  };
  for (const DepthwiseCase& item : kDepthwise) {
    if (effort.quick && item.side > 32) continue;
    DepthwiseShape shape;
    shape.h = shape.w = item.side, shape.cin = item.channels, shape.kernel = item.kernel;
    const size_t taps = item.kernel * item.kernel;
    TVLM_ASSIGN_OR_RETURN(const auto in,
                          RandomFloats(uint64_t{item.side} * item.side * item.channels, noise));
    // the bias behind them
    TVLM_ASSIGN_OR_RETURN(const auto weights,
                          RandomFloats(uint64_t{taps + 1} * item.channels, noise));
    TVLM_ASSIGN_OR_RETURN(
        auto out, AlignedBuffer<float>::Allocate(uint64_t{item.pixels} * item.channels, "results"));
    // a strip behind the middle of the map
    const size_t first = item.side * item.side / 2, end = first + item.pixels;
    const double values = static_cast<double>(item.pixels * item.channels);
    add(item.name, Format("%zu pixels of %zu channels", item.pixels, item.channels), values,
        static_cast<double>(taps), [&] {
          DepthwiseConv(shape, in.data(), weights.data(), weights.data() + taps * item.channels,
                        first, end, out.data());
        });
  }
  for (const AttentionCase& item : kAttention) {
    const size_t stride = item.head_dim;
    TVLM_ASSIGN_OR_RETURN(const auto q, RandomFloats(uint64_t{item.rows} * stride, noise));
    TVLM_ASSIGN_OR_RETURN(const auto k, RandomFloats(KeyPanelFloats(item.keys, stride), noise));
    TVLM_ASSIGN_OR_RETURN(const auto v, RandomFloats(uint64_t{item.keys} * stride, noise));
    TVLM_ASSIGN_OR_RETURN(auto out,
                          AlignedBuffer<float>::Allocate(uint64_t{item.rows} * stride, "results"));
    TVLM_ASSIGN_OR_RETURN(auto scratch,
                          AlignedBuffer<float>::Allocate(
                              AttentionScratchFloats(item.rows, item.keys, stride), "scratch"));
    const double values = static_cast<double>(item.rows * stride);
    add(item.name, Format("%zu rows, %zu keys of %zu", item.rows, item.keys, stride), values,
        static_cast<double>(2 * item.keys), [&] {
          AttentionTile(q.data(), stride, item.rows, k.data(), v.data(), stride, item.keys,
                        /*causal=*/false, stride, 0.125f, out.data(), stride, scratch.data());
        });
  }
  // One strip of stage 0's hidden rows: what stands between fc1 and fc2.
  constexpr size_t kRows = 168, kWidth = 384, kCount = kRows * kWidth;
  TVLM_ASSIGN_OR_RETURN(const auto x, RandomFloats(kCount, noise));
  TVLM_ASSIGN_OR_RETURN(const auto y, RandomFloats(kCount, noise));
  TVLM_ASSIGN_OR_RETURN(auto out, RandomFloats(kCount, noise));
  TVLM_ASSIGN_OR_RETURN(auto quantized, AlignedBuffer<uint8_t>::Allocate(
                                            QuantizedRows::Bytes(kRows, kWidth), "results"));
  const QuantizedRows rows = QuantizedRows::At(quantized.data(), kRows, kWidth);
  const std::string size = Format("%zu x %zu", kRows, kWidth);
  add("GELU", size, kCount, 0, [&] {
    // in place it would run towards zero
    std::memcpy(out.data(), x.data(), kCount * sizeof(float));
    Gelu(out.data(), kCount);
  });
  add("silu * up", size, kCount, 0, [&] { SiluMul(x.data(), y.data(), out.data(), kCount); });
  add("quantise", size, kCount, 0, [&] { QuantizeRows(x.data(), kWidth, kRows, rows); });
  add("layer scale, residual", size, kCount, 0,
      [&] { ScaleAddRows(x.data(), y.data(), x.data(), kRows, kWidth, out.data()); });
  add("layer norm", size, kCount, 0,
      [&] { LayerNormRows(x.data(), y.data(), y.data(), 1e-5f, kRows, kWidth, out.data()); });
  add("RMS norm", size, kCount, 0,
      [&] { RmsNormRows(x.data(), y.data(), 1e-6f, kRows, kWidth, out.data()); });
  return results;
}

}  // namespace tinyvlm
