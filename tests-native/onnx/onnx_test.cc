// Third-party operator cases (ONNX 1.20's backend tests), against the kernels and their
// references. Every case is either run or left out with a printed reason, and the cases that run
// are named below: one that is missing fails the test.
//
// Expected values are f32 results of another implementation, so a tolerance allows for its
// roundings as well as ours: twice the bound of one side.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <set>

#include "base/half.h"
#include "image/preprocess.h"
#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/conv2d.h"
#include "kernels/depthwise_conv.h"
#include "kernels/for_each_target.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"
#include "kernels/packed.h"
#include "kernels/quantized.h"
#include "kernels/rope.h"
#include "kernels/values.h"
#include "onnx/onnx_model.h"
#include "shared_data.h"

namespace tinyvlm::onnx {
namespace {

constexpr size_t kAllCases = 303;

// The cases that must run, without their "test_".
const std::set<std::string> kRunning = {
    "Conv2d_depthwise",
    "Conv2d_depthwise_padded",
    "Conv2d_depthwise_strided",
    "Conv2d_depthwise_with_multiplier",
    "Conv2d_padding",
    "Conv2d_strided",
    "Embedding",
    "Embedding_sparse",
    "Linear",
    "Linear_no_bias",
    "Sigmoid",
    "Softmax",
    "add",
    "add_bcast",
    "attention_3d",
    "attention_3d_causal",
    "attention_3d_gqa",
    "attention_3d_gqa_causal",
    "attention_3d_gqa_scaled",
    "attention_3d_scaled",
    "attention_3d_transpose_verification",
    "attention_4d",
    "attention_4d_causal",
    "attention_4d_gqa",
    "attention_4d_gqa_causal",
    "attention_4d_gqa_scaled",
    "attention_4d_scaled",
    "attention_4d_with_qk_matmul",
    "basic_conv_with_padding",
    "basic_conv_without_padding",
    "cast_BFLOAT16_to_FLOAT",
    "cast_FLOAT16_to_FLOAT",
    "cast_FLOAT_to_BFLOAT16",
    "cast_FLOAT_to_FLOAT16",
    "conv_with_autopad_same",
    "conv_with_strides_and_asymmetric_padding",
    "conv_with_strides_no_padding",
    "conv_with_strides_padding",
    "gelu_default_1",
    "gelu_default_2",
    "gemm_all_attributes",
    "gemm_alpha",
    "gemm_beta",
    "gemm_default_matrix_bias",
    "gemm_default_no_bias",
    "gemm_default_scalar_bias",
    "gemm_default_single_elem_vector_bias",
    "gemm_default_vector_bias",
    "gemm_default_zero_bias",
    "gemm_transposeA",
    "gemm_transposeB",
    "globalaveragepool",
    "globalaveragepool_precomputed",
    "layer_normalization_2d_axis0",
    "layer_normalization_2d_axis1",
    "layer_normalization_2d_axis_negative_1",
    "layer_normalization_2d_axis_negative_2",
    "layer_normalization_3d_axis0_epsilon",
    "layer_normalization_3d_axis1_epsilon",
    "layer_normalization_3d_axis2_epsilon",
    "layer_normalization_3d_axis_negative_1_epsilon",
    "layer_normalization_3d_axis_negative_2_epsilon",
    "layer_normalization_3d_axis_negative_3_epsilon",
    "layer_normalization_4d_axis0",
    "layer_normalization_4d_axis1",
    "layer_normalization_4d_axis2",
    "layer_normalization_4d_axis3",
    "layer_normalization_4d_axis_negative_1",
    "layer_normalization_4d_axis_negative_2",
    "layer_normalization_4d_axis_negative_3",
    "layer_normalization_4d_axis_negative_4",
    "layer_normalization_default_axis",
    "matmul_1d_1d",
    "matmul_1d_3d",
    "matmul_2d",
    "matmul_3d",
    "matmul_4d",
    "matmul_4d_1d",
    "matmul_bcast",
    "matmulinteger",
    "mul",
    "mul_bcast",
    "mul_example",
    "operator_mm",
    "resize_upsample_scales_cubic_A_n0p5_exclude_outside",
    "rms_normalization_2d_axis0",
    "rms_normalization_2d_axis1",
    "rms_normalization_2d_axis_negative_1",
    "rms_normalization_2d_axis_negative_2",
    "rms_normalization_3d_axis0_epsilon",
    "rms_normalization_3d_axis1_epsilon",
    "rms_normalization_3d_axis2_epsilon",
    "rms_normalization_3d_axis_negative_1_epsilon",
    "rms_normalization_3d_axis_negative_2_epsilon",
    "rms_normalization_3d_axis_negative_3_epsilon",
    "rms_normalization_4d_axis0",
    "rms_normalization_4d_axis1",
    "rms_normalization_4d_axis2",
    "rms_normalization_4d_axis3",
    "rms_normalization_4d_axis_negative_1",
    "rms_normalization_4d_axis_negative_2",
    "rms_normalization_4d_axis_negative_3",
    "rms_normalization_4d_axis_negative_4",
    "rms_normalization_default_axis",
    "rotary_embedding",
    "rotary_embedding_3d_input",
    "rotary_embedding_no_position_ids",
    "rotary_embedding_no_position_ids_rotary_dim",
    "rotary_embedding_with_rotary_dim",
    "sigmoid",
    "sigmoid_example",
    "softmax_axis_0",
    "softmax_axis_1",
    "softmax_axis_2",
    "softmax_default_axis",
    "softmax_example",
    "softmax_large_number",
    "softmax_negative_axis",
    "swish",
};

using Floats = std::vector<float>;

// What is looked up of a node, with ONNX's defaults.
class NodeView {
 public:
  NodeView(const Case& c, const Node& node) : c_(c), node_(node) {}

  const Node& node() const { return node_; }
  bool Has(size_t input) const {
    return input < node_.inputs.size() && !node_.inputs[input].empty();
  }
  const Tensor& in(size_t input) const {
    REQUIRE(Has(input));
    const auto found = c_.tensors.find(node_.inputs[input]);
    REQUIRE(found != c_.tensors.end());
    return found->second;
  }
  bool AllFloat() const {
    for (size_t i = 0; i < node_.inputs.size(); ++i) {
      if (Has(i) && !in(i).Is(ElementType::kFloat)) return false;
    }
    return true;
  }
  int64_t Int(const char* name, int64_t otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.i;
  }
  float Float(const char* name, float otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.f;
  }
  std::string String(const char* name) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? "" : found->second.s;
  }
  std::vector<int64_t> Ints(const char* name, std::vector<int64_t> otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.ints;
  }

 private:
  const Case& c_;
  const Node& node_;
};

void RequireNear(const Floats& found, const Floats& wanted, const std::vector<double>& bounds) {
  REQUIRE(found.size() == wanted.size());
  REQUIRE(bounds.size() == wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::fabs(double{found[i]} - double{wanted[i]});
    if (!(error <= bounds[i]))
      FAIL("element " << i << ": " << wanted[i] << " wanted, " << found[i] << " found, "
                      << bounds[i] << " allowed");
  }
}

// Runs the reference once and the kernel on every target: `run`(true) and `run`(false).
void Hold(const Floats& wanted, const std::vector<double>& bounds,
          const std::function<Floats(bool reference)>& run) {
  {
    INFO("reference");
    RequireNear(run(true), wanted, bounds);
  }
  ForEachTarget([&] { RequireNear(run(false), wanted, bounds); });
}

std::vector<double> Exact(size_t n) { return std::vector<double>(n, 0.0); }

// a[m, k] * b[n, k]^T through GemmF32, with bounds: each side adds k products, k + 1 roundings of
// what the sum of absolute values is at most.
struct Product {
  Floats a, b;  // b is [n, k]
  Floats bias;  // [n] or empty
  size_t m = 0, n = 0, k = 0;

  Floats Multiply(bool reference) const {
    std::vector<uint8_t> file(reinterpret_cast<const uint8_t*>(b.data()),
                              reinterpret_cast<const uint8_t*>(b.data() + b.size()));
    const TestMatrix weights = MakeMatrix(DType::kF32, n, k, std::move(file));
    Floats c(m * n);
    const float* const with_bias = bias.empty() ? nullptr : bias.data();
    if (reference) {
      reference::GemmF32(a.data(), k, m, weights.matrix, with_bias, c.data(), n, 0, n);
      return c;
    }
    Floats memory(GemmF32ScratchFloats(k) + 16);
    float* const scratch =
        memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) / sizeof(float) % 16;
    GemmF32(a.data(), k, m, weights.matrix, with_bias, c.data(), n, 0, n, scratch);
    return c;
  }

  std::vector<double> Bounds() const {
    std::vector<double> bounds(m * n);
    for (size_t r = 0; r < m; ++r) {
      for (size_t c = 0; c < n; ++c) {
        double sum = bias.empty() ? 0 : std::fabs(double{bias[c]});
        for (size_t i = 0; i < k; ++i)
          sum += std::fabs(double{a[r * k + i]} * double{b[c * k + i]});
        bounds[r * n + c] = 2 * static_cast<double>(k + 2) * kRounding * sum;
      }
    }
    return bounds;
  }
};

// [rows, columns] -> [columns, rows]
Floats Transposed(const Floats& x, size_t rows, size_t columns) {
  Floats out(x.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) out[c * rows + r] = x[r * columns + c];
  }
  return out;
}

std::string RunGemm(const NodeView& v, const Tensor& wanted) {
  const bool ta = v.Int("transA", 0) != 0, tb = v.Int("transB", 0) != 0;
  const Tensor &a = v.in(0), &b = v.in(1);
  Product p;
  p.m = a.shape[ta ? 1 : 0], p.k = a.shape[ta ? 0 : 1], p.n = b.shape[tb ? 0 : 1];
  p.a = ta ? Transposed(a.floats, p.k, p.m) : a.floats;
  p.b = tb ? b.floats : Transposed(b.floats, p.k, p.n);
  const double alpha = double{v.Float("alpha", 1)}, beta = double{v.Float("beta", 1)};
  Floats c(p.m * p.n, 0.0f);  // beta * C, spread over the rows
  if (v.Has(2) && beta != 0) {
    const Tensor& t = v.in(2);
    const size_t rows = t.shape.size() == 2 ? t.shape[0] : 1,
                 columns = t.shape.empty() ? 1 : t.shape.back();
    for (size_t r = 0; r < p.m; ++r) {
      for (size_t i = 0; i < p.n; ++i)
        c[r * p.n + i] = static_cast<float>(
            beta * double{t.floats[(rows == 1 ? 0 : r) * columns + (columns == 1 ? 0 : i)]});
    }
    // One bias for all rows is what the kernel adds itself.
    if (alpha == 1 && rows == 1) {
      p.bias.assign(c.begin(), c.begin() + static_cast<ptrdiff_t>(p.n));
      c.assign(c.size(), 0.0f);
    }
  }
  std::vector<double> bounds = p.Bounds();
  for (size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = std::fabs(alpha) * bounds[i] +
                6 * kRounding * (std::fabs(double{c[i]}) + std::fabs(double{wanted.floats[i]}));
  }
  Hold(wanted.floats, bounds, [&](bool reference) {
    Floats out = p.Multiply(reference);
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>(alpha * double{out[i]} + double{c[i]});
    return out;
  });
  return "";
}

// Batches by broadcasting all dimensions but the last two; a list is a row on the left and a column
// on the right.
std::string RunMatMul(const NodeView& v, const Tensor& wanted) {
  std::vector<size_t> sa = v.in(0).shape, sb = v.in(1).shape;
  if (sa.size() == 1) sa.insert(sa.begin(), 1);
  if (sb.size() == 1) sb.push_back(1);
  const size_t m = sa[sa.size() - 2], k = sa.back(), n = sb.back();
  REQUIRE(sb[sb.size() - 2] == k);
  const size_t ranks = std::max(sa.size(), sb.size());
  while (sa.size() < ranks) sa.insert(sa.begin(), 1);
  while (sb.size() < ranks) sb.insert(sb.begin(), 1);
  size_t batches = 1;
  for (size_t d = 0; d + 2 < ranks; ++d) batches *= std::max(sa[d], sb[d]);
  REQUIRE(wanted.elements() == batches * m * n);
  for (size_t batch = 0; batch < batches; ++batch) {
    size_t rest = batch, a = 0, b = 0, a_step = 1, b_step = 1;
    for (size_t d = ranks - 2; d-- > 0;) {
      const size_t side = std::max(sa[d], sb[d]), at = rest % side;
      rest /= side;
      a += (sa[d] == 1 ? 0 : at) * a_step, b += (sb[d] == 1 ? 0 : at) * b_step;
      a_step *= sa[d], b_step *= sb[d];
    }
    Product p;
    p.m = m, p.k = k, p.n = n;
    p.a.assign(v.in(0).floats.begin() + static_cast<ptrdiff_t>(a * m * k),
               v.in(0).floats.begin() + static_cast<ptrdiff_t>((a + 1) * m * k));
    const Floats right(v.in(1).floats.begin() + static_cast<ptrdiff_t>(b * k * n),
                       v.in(1).floats.begin() + static_cast<ptrdiff_t>((b + 1) * k * n));
    p.b = Transposed(right, k, n);
    const Floats part(wanted.floats.begin() + static_cast<ptrdiff_t>(batch * m * n),
                      wanted.floats.begin() + static_cast<ptrdiff_t>((batch + 1) * m * n));
    Hold(part, p.Bounds(), [&](bool reference) { return p.Multiply(reference); });
  }
  return "";
}

// Linear_no_bias: x times a transposed weight, which is what the packed layout holds anyway.
std::string RunTransposedWeight(const Case& c, const Tensor& wanted) {
  const Tensor &weight = NodeView(c, c.nodes[0]).in(0), &x = NodeView(c, c.nodes[1]).in(0);
  Product p;
  p.m = x.shape[0], p.k = x.shape[1], p.n = weight.shape[0];
  p.a = x.floats, p.b = weight.floats;
  Hold(wanted.floats, p.Bounds(), [&](bool reference) { return p.Multiply(reference); });
  return "";
}

// The sums of GemmI8 with all scales 1: activations minus their zero point as int16 (an outlier
// block), weights minus theirs as a Q8_0 block, k padded to 32.
std::string RunMatMulInteger(const NodeView& v, const Tensor& wanted) {
  const Tensor &a = v.in(0), &b = v.in(1);
  const int64_t a_zero = v.in(2).integers[0], b_zero = v.in(3).integers[0];
  const size_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  REQUIRE(k <= 32);
  QuantizedMatrix rows(m, 32);
  for (size_t r = 0; r < m; ++r) {
    int32_t block[32] = {};
    for (size_t i = 0; i < k; ++i) block[i] = static_cast<int32_t>(a.integers[r * k + i] - a_zero);
    rows.SetBlock(r, 0, block, /*outlier=*/true, 1.0f);
  }
  std::vector<uint8_t> file(n * RowBytes(DType::kQ8_0, 32), 0);
  for (size_t c = 0; c < n; ++c) {
    uint8_t* const block = file.data() + c * RowBytes(DType::kQ8_0, 32);
    block[1] = 0x3C;  // 1.0 in f16
    for (size_t i = 0; i < k; ++i) {
      const int64_t weight = b.integers[i * n + c] - b_zero;
      REQUIRE((weight >= -128 && weight <= 127));
      block[2 + i] = static_cast<uint8_t>(weight);
    }
  }
  const TestMatrix weights = MakeMatrix(DType::kQ8_0, n, 32, std::move(file));
  const Floats sums(wanted.integers.begin(), wanted.integers.end());
  Hold(sums, Exact(sums.size()), [&](bool reference) {
    Floats c(m * n);
    if (reference) {
      reference::GemmI8(rows.rows, m, weights.matrix, nullptr, c.data(), n, 0, n);
      return c;
    }
    std::vector<uint8_t> memory(GemmI8ScratchBytes(32) + 64);
    GemmI8(rows.rows, m, weights.matrix, nullptr, c.data(), n, 0, n, AlignedIn(memory));
    return c;
  });
  return "";
}

std::string RunConv(const NodeView& v, const Tensor& wanted) {
  const Tensor &x = v.in(0), &w = v.in(1);
  const size_t batch = x.shape[0], cin = x.shape[1], h = x.shape[2], wide = x.shape[3],
               cout = w.shape[0];
  const size_t oh = wanted.shape[2], ow = wanted.shape[3];
  const auto group = static_cast<size_t>(v.Int("group", 1));
  if (w.shape[2] != 3 || w.shape[3] != 3)
    return "a kernel that is not square; ours are 1x1, 3x3 and 7x7";
  if (v.Ints("dilations", {1, 1})[0] != 1) return "dilation; ours are dense windows";
  const std::vector<int64_t> pads = v.String("auto_pad") == "SAME_LOWER"
                                        ? std::vector<int64_t>{1, 1, 1, 1}
                                        : v.Ints("pads", {0, 0, 0, 0});
  const auto stride = static_cast<size_t>(v.Ints("strides", {1, 1})[0]),
             top = static_cast<size_t>(pads[0]), left = static_cast<size_t>(pads[1]);
  REQUIRE((top <= 1 && left <= 1));
  const Floats bias = v.Has(2) ? v.in(2).floats : Floats(cout, 0.0f);
  const bool depthwise = group == cin, stem = group == 1 && cin == 3 && stride == 2;
  if (!depthwise && !stem)
    return "a dense convolution other than the stem's (3 channels, 3x3, stride 2)";

  // Each side adds at most 9 * cin / group products and the bias.
  std::vector<double> bounds(wanted.elements());
  const size_t reads = cin / group;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t o = 0; o < cout; ++o) {
      for (size_t y = 0; y < oh; ++y) {
        for (size_t p = 0; p < ow; ++p) {
          double sum = std::fabs(double{bias[o]});
          for (size_t i = 0; i < reads * 9; ++i) {
            const size_t channel = o / (cout / group) * reads + i / 9;
            // wraps round where it is outside
            const size_t iy = y * stride + i / 3 % 3 - top, ix = p * stride + i % 3 - left;
            if (iy < h && ix < wide)
              sum += std::fabs(double{x.floats[((b * cin + channel) * h + iy) * wide + ix]} *
                               double{w.floats[o * reads * 9 + i]});
          }
          bounds[((b * cout + o) * oh + y) * ow + p] =
              2 * static_cast<double>(9 * reads + 2) * kRounding * sum;
        }
      }
    }
  }

  // Our maps are channels-last and our padding is 1 all round. The stem's stride is fixed, so an
  // image without padding above and left is moved by one pixel; a depthwise map is computed at
  // stride 1 and its pixels are picked, and at its own stride where padding agrees.
  const bool direct = depthwise && top == 1 && left == 1 && oh == (h + stride - 1) / stride &&
                      ow == (wide + stride - 1) / stride;
  const size_t move_y = stem ? 1 - top : 0, move_x = stem ? 1 - left : 0, sh = h + move_y,
               sw = wide + move_x;
  const auto run = [&](bool reference, size_t map_stride) {
    Floats out(wanted.elements());
    for (size_t b = 0; b < batch; ++b) {
      Floats in(sh * sw * cin, 0.0f), weights(9 * reads * cout);
      for (size_t ch = 0; ch < cin; ++ch) {
        for (size_t i = 0; i < h * wide; ++i)
          in[((i / wide + move_y) * sw + i % wide + move_x) * cin + ch] =
              x.floats[(b * cin + ch) * h * wide + i];
      }
      for (size_t o = 0; o < cout; ++o) {
        for (size_t i = 0; i < reads * 9; ++i)
          weights[(i % 9 * reads + i / 9) * cout + o] = w.floats[o * reads * 9 + i];
      }
      const size_t mh = (sh + map_stride - 1) / map_stride, mw = (sw + map_stride - 1) / map_stride;
      Floats map(mh * mw * cout);
      if (stem) {
        (reference ? reference::Conv2dStem : Conv2dStem)(in.data(), sh, sw, cout, weights.data(),
                                                         bias.data(), 0, mh, map.data());
      } else {
        DepthwiseShape shape;
        shape.h = sh, shape.w = sw, shape.cin = cin, shape.multiplier = cout / cin,
        shape.kernel = 3, shape.stride = map_stride;
        (reference ? reference::DepthwiseConv : DepthwiseConv)(shape, in.data(), weights.data(),
                                                               bias.data(), 0, mh * mw, map.data());
      }
      const size_t step = map_stride == 1 ? stride : 1, skip_y = map_stride == 1 ? 1 - top : move_y,
                   skip_x = map_stride == 1 ? 1 - left : move_x;
      for (size_t o = 0; o < cout; ++o) {
        for (size_t i = 0; i < oh * ow; ++i)
          out[(b * cout + o) * oh * ow + i] =
              map[((i / ow * step + skip_y) * mw + i % ow * step + skip_x) * cout + o];
      }
    }
    return out;
  };
  if (stem) {
    Hold(wanted.floats, bounds, [&](bool reference) { return run(reference, 2); });
    return "";
  }
  Hold(wanted.floats, bounds, [&](bool reference) { return run(reference, 1); });
  if (direct && stride > 1)
    Hold(wanted.floats, bounds, [&](bool reference) { return run(reference, stride); });
  return "";
}

// Both norms over the dimensions from `axis` on. Statistics of n values: n + 4 roundings, and some
// more for the root and the products.
std::string RunNorm(const NodeView& v, const Tensor& wanted, bool layer) {
  const Tensor& x = v.in(0);
  int64_t axis = v.Int("axis", -1);
  if (axis < 0) axis += static_cast<int64_t>(x.shape.size());
  size_t n = 1;
  for (size_t d = static_cast<size_t>(axis); d < x.shape.size(); ++d) n *= x.shape[d];
  const size_t rows = x.elements() / n;
  const float epsilon = v.Float("epsilon", 1e-5f);
  const Floats &weight = v.in(1).floats, bias = layer ? v.in(2).floats : Floats(n, 0.0f);
  std::vector<double> bounds(x.elements());
  for (size_t r = 0; r < rows; ++r) {
    double mean = 0, absolute = 0, square = 0;
    for (size_t i = 0; i < n; ++i) {
      if (layer) mean += double{x.floats[r * n + i]} / static_cast<double>(n);
      absolute += std::fabs(double{x.floats[r * n + i]}) / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i)
      square += std::pow(double{x.floats[r * n + i]} - mean, 2) / static_cast<double>(n);
    const double inverse = 1 / std::sqrt(square + double{epsilon});
    for (size_t i = 0; i < n; ++i) {
      const double scaled = (std::fabs(double{x.floats[r * n + i]}) + absolute) * inverse *
                            std::fabs(double{weight[i]});
      bounds[r * n + i] =
          2 * kRounding * (static_cast<double>(n + 8) * scaled + std::fabs(double{bias[i]}));
    }
  }
  Hold(wanted.floats, bounds, [&](bool reference) {
    Floats out(x.elements());
    if (layer) {
      (reference ? reference::LayerNormRows : LayerNormRows)(
          x.floats.data(), weight.data(), bias.data(), epsilon, rows, n, out.data());
    } else {
      (reference ? reference::RmsNormRows : RmsNormRows)(x.floats.data(), weight.data(), epsilon,
                                                         rows, n, out.data());
    }
    return out;
  });
  return "";
}

std::string RunRotary(const NodeView& v, const Tensor& wanted) {
  if (v.Int("interleaved", 0) != 0)
    return "rotary embedding of neighbouring pairs; ours turns halves";
  const Tensor &x = v.in(0), &cos = v.in(1), &sin = v.in(2);
  // [batch, rows, heads * dim] rather than [batch, heads, rows, dim]
  const bool flat = x.shape.size() == 3;
  const size_t heads = flat ? static_cast<size_t>(v.Int("num_heads", 0)) : x.shape[1],
               rows = x.shape[flat ? 1 : 2];
  const size_t dim = x.shape.back() / (flat ? heads : 1),
               asked = static_cast<size_t>(v.Int("rotary_embedding_dim", 0)),
               turned = asked == 0 ? dim : asked;
  const auto table = [&](const Tensor& t, size_t b, size_t r) {
    const size_t row =
        v.Has(3) ? static_cast<size_t>(v.in(3).integers[b * rows + r]) : b * rows + r;
    return t.floats.data() + row * (turned / 2);
  };
  std::vector<double> bounds(x.elements(), 0.0);
  const auto each = [&](const std::function<void(size_t at, size_t b, size_t r)>& body) {
    for (size_t b = 0; b < x.shape[0]; ++b) {
      for (size_t head = 0; head < heads; ++head) {
        for (size_t r = 0; r < rows; ++r)
          body(flat ? ((b * rows + r) * heads + head) * dim : ((b * heads + head) * rows + r) * dim,
               b, r);
      }
    }
  };
  // Two products and a sum on each side.
  each([&](size_t at, size_t, size_t) {
    for (size_t i = 0; i < turned; ++i) {
      const size_t partner = at + (i + turned / 2) % turned;
      bounds[at + i] = 6 * kRounding *
                       (std::fabs(double{x.floats[at + i]}) + std::fabs(double{x.floats[partner]}));
    }
  });
  Hold(wanted.floats, bounds, [&](bool reference) {
    Floats out = x.floats;
    each([&](size_t at, size_t b, size_t r) {
      (reference ? reference::ApplyRope : ApplyRope)(out.data() + at, 1, turned, table(cos, b, r),
                                                     table(sin, b, r));
    });
    return out;
  });
  return "";
}

// Rows of one head. Bounds: the error of a score is (dim + 2) roundings of the sum of its products'
// absolute values; a weight's relative error twice the largest of them and keys + 8 roundings more;
// on either side.
struct Head {
  Floats q, k, v;  // [rows, dim], [keys, dim], [keys, dim]
  size_t rows = 0, keys = 0, dim = 0;
  bool causal = false;
  float scale = 1;

  Floats Attend(bool reference) const {
    Floats out(rows * dim);
    const size_t first = causal ? 1 : keys;
    if (reference) {
      reference::AttentionTile(q.data(), dim, rows, k.data(), dim, v.data(), dim, first, causal,
                               dim, scale, out.data(), dim);
      return out;
    }
    Floats memory(AttentionScratchFloats(rows, first + rows, dim) + 16);
    float* const scratch =
        memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) / sizeof(float) % 16;
    Floats panels(KeyPanelFloats(keys, dim));
    PackKeys(k.data(), dim, 0, keys, dim, panels.data());
    AttentionTile(q.data(), dim, rows, panels.data(), v.data(), dim, first, causal, dim, scale,
                  out.data(), dim, scratch);
    return out;
  }

  std::vector<double> Bounds() const {
    std::vector<double> bounds(rows * dim);
    for (size_t r = 0; r < rows; ++r) {
      const size_t seen = causal ? r + 1 : keys;
      std::vector<double> p(seen);
      double error = 0, largest = -INFINITY, sum = 0;
      for (size_t j = 0; j < seen; ++j) {
        double absolute = 0;
        for (size_t i = 0; i < dim; ++i) {
          const double product = double{q[r * dim + i]} * double{k[j * dim + i]};
          p[j] += product;
          absolute += std::fabs(product);
        }
        p[j] *= double{scale};
        largest = std::max(largest, p[j]);
        error =
            std::max(error, static_cast<double>(dim + 2) * kRounding * absolute * double{scale});
      }
      for (double& x : p) sum += x = std::exp(x - largest);
      for (size_t i = 0; i < dim; ++i) {
        double mixed = 0;
        for (size_t j = 0; j < seen; ++j) mixed += p[j] / sum * std::fabs(double{v[j * dim + i]});
        bounds[r * dim + i] = 2 * (2 * error + static_cast<double>(keys + 8) * kRounding) * mixed;
      }
    }
    return bounds;
  }
};

std::string RunAttention(const NodeView& node, const Tensor& wanted) {
  if (node.Has(3))
    return "attention with a mask of numbers; ours sees all rows or those before its own";
  if (node.Float("softcap", 0) != 0) return "attention with a soft cap";
  if (!node.AllFloat()) return "attention in f16";
  const Tensor &q = node.in(0), &k = node.in(1), &v = node.in(2);
  const bool flat = q.shape.size() == 3;
  const size_t heads = flat ? static_cast<size_t>(node.Int("q_num_heads", 0)) : q.shape[1];
  const size_t kv_heads = flat ? static_cast<size_t>(node.Int("kv_num_heads", 0)) : k.shape[1],
               group = heads / kv_heads;
  const size_t rows = q.shape[flat ? 1 : 2], keys = k.shape[flat ? 1 : 2],
               dim = q.shape.back() / (flat ? heads : 1);
  if (v.shape.back() / (flat ? kv_heads : 1) != dim)
    return "attention whose values are wider than its keys";
  const auto take = [&](const Tensor& t, size_t b, size_t head, size_t count, size_t all) {
    Floats out;
    for (size_t r = 0; r < count; ++r) {
      const size_t at =
          flat ? ((b * count + r) * all + head) * dim : ((b * all + head) * count + r) * dim;
      out.insert(out.end(), t.floats.begin() + static_cast<ptrdiff_t>(at),
                 t.floats.begin() + static_cast<ptrdiff_t>(at + dim));
    }
    return out;
  };
  for (size_t b = 0; b < q.shape[0]; ++b) {
    for (size_t head = 0; head < heads; ++head) {
      Head h;
      h.rows = rows, h.keys = keys, h.dim = dim, h.causal = node.Int("is_causal", 0) != 0;
      h.scale = node.Float("scale", 1.0f / std::sqrt(static_cast<float>(dim)));
      h.q = take(q, b, head, rows, heads);
      h.k = take(k, b, head / group, keys, kv_heads),
      h.v = take(v, b, head / group, keys, kv_heads);
      Hold(take(wanted, b, head, rows, heads), h.Bounds(),
           [&](bool reference) { return h.Attend(reference); });
    }
  }
  return "";
}

// Our softmax is inside attention: scores come from keys that hold them, and values that are unit
// vectors show the weights.
std::string RunSoftmax(const NodeView& node, const Tensor& wanted) {
  const Tensor& x = node.in(0);
  int64_t axis = node.Int("axis", -1);
  if (axis < 0) axis += static_cast<int64_t>(x.shape.size());
  const size_t n = x.shape[static_cast<size_t>(axis)];
  size_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < x.shape.size(); ++d) inner *= x.shape[d];
  for (size_t outer = 0; outer < x.elements() / n / inner; ++outer) {
    for (size_t i = 0; i < inner; ++i) {
      Head h;
      h.rows = 1, h.keys = n, h.dim = n;
      h.q.assign(n, 0.0f), h.k.assign(n * n, 0.0f), h.v.assign(n * n, 0.0f);
      h.q[0] = 1;
      Floats weights(n);
      for (size_t j = 0; j < n; ++j) {
        h.k[j * n] = x.floats[(outer * n + j) * inner + i];
        h.v[j * n + j] = 1;
        weights[j] = wanted.floats[(outer * n + j) * inner + i];
      }
      // One product with 1 is exact, so scores are; the difference from the largest is rounded.
      std::vector<double> bounds(n);
      double range = 0;
      for (size_t j = 0; j < n; ++j)
        range = std::max(range, std::fabs(double{h.k[j * n]} - double{h.k[0]}));
      for (size_t j = 0; j < n; ++j)
        bounds[j] = 2 * (2 * range + static_cast<double>(n + 8)) * kRounding * double{weights[j]};
      Hold(weights, bounds, [&](bool reference) { return h.Attend(reference); });
    }
  }
  return "";
}

// Functions of one value, in place: the error that the kernel's header promises, and for either
// side two roundings of value and result.
std::string RunInPlace(const Tensor& x, const Tensor& wanted, double error,
                       const std::function<void(bool, float*, size_t)>& apply) {
  std::vector<double> bounds(wanted.floats.size());
  for (size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = error + 4 * kRounding *
                            (std::fabs(double{wanted.floats[i]}) + std::fabs(double{x.floats[i]}));
  Hold(wanted.floats, bounds, [&](bool reference) {
    Floats out = x.floats;
    apply(reference, out.data(), out.size());
    return out;
  });
  return "";
}

// Sum or product of two tensors, of which the second may be one row.
std::string RunBinary(const NodeView& v, const Tensor& wanted, bool add) {
  if (!v.AllFloat()) return "integers of a type that no kernel adds or multiplies";
  const Floats &a = v.in(0).floats, &b = v.in(1).floats;
  Hold(wanted.floats, Exact(a.size()), [&](bool reference) {
    Floats out(a.size(), 0.0f);
    if (add) {
      for (size_t r = 0; r < a.size() / b.size(); ++r) {
        (reference ? reference::AddRows : AddRows)(a.data() + r * b.size(), b.data(), b.size(),
                                                   out.data() + r * b.size());
      }
    } else {
      (reference ? reference::ScaleAddRows : ScaleAddRows)(
          out.data(), a.data(), b.data(), a.size() / b.size(), b.size(), out.data());  // 0 + b * a
    }
    return out;
  });
  return "";
}

// As the tower's squeeze-excite does it: rows of a channels-last map are added, then scaled.
std::string RunAveragePool(const NodeView& v, const Tensor& wanted) {
  const Tensor& x = v.in(0);
  const size_t c = x.shape[1], pixels = x.elements() / c;
  REQUIRE(x.shape[0] == 1);
  const Floats map = Transposed(x.floats, c, pixels);
  std::vector<double> bounds(c, 0.0);
  const double roundings = 2 * static_cast<double>(pixels + 2) * kRounding;
  for (size_t i = 0; i < map.size(); ++i)
    bounds[i % c] += roundings * std::fabs(double{map[i]}) / static_cast<double>(pixels);
  Hold(wanted.floats, bounds, [&](bool reference) {
    Floats mean(c, 0.0f);
    for (size_t p = 0; p < pixels; ++p)
      (reference ? reference::AddRows : AddRows)(mean.data(), map.data() + p * c, c, mean.data());
    for (float& value : mean) value *= 1.0f / static_cast<float>(pixels);
    return mean;
  });
  return "";
}

// Conversions of 16-bit floats are scalar functions.
std::string RunCast(const NodeView& v, const Tensor& wanted) {
  const Tensor& x = v.in(0);
  if (wanted.type == 11) return "conversions to f64";
  REQUIRE(
      (x.Is(ElementType::kFloat) || x.Is(ElementType::kFloat16) || x.Is(ElementType::kBfloat16)));
  for (size_t i = 0; i < x.elements(); ++i) {
    // A NaN stays one; its other bits are nobody's business.
    const auto same = [](float a, float b) {
      return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
    };
    if (wanted.Is(ElementType::kFloat16) && std::isnan(x.floats[i])) {
      REQUIRE(std::isnan(F16ToF32(F32ToF16(x.floats[i]))));
    } else if (wanted.Is(ElementType::kBfloat16) && std::isnan(x.floats[i])) {
      REQUIRE(std::isnan(BF16ToF32(F32ToBF16(x.floats[i]))));
    } else if (wanted.Is(ElementType::kFloat16)) {
      REQUIRE(F32ToF16(x.floats[i]) == wanted.integers[i]);
    } else if (wanted.Is(ElementType::kBfloat16)) {
      REQUIRE(F32ToBF16(x.floats[i]) == wanted.integers[i]);
    } else {
      const auto bits = static_cast<uint16_t>(x.integers[i]);
      REQUIRE(
          same(x.Is(ElementType::kFloat16) ? F16ToF32(bits) : BF16ToF32(bits), wanted.floats[i]));
    }
  }
  return "";
}

// The embedding look-up.
std::string RunGather(const NodeView& v, const Tensor& wanted) {
  const Tensor &table = v.in(0), &ids = v.in(1);
  const size_t width = table.shape[1];
  std::vector<uint8_t> file(
      reinterpret_cast<const uint8_t*>(table.floats.data()),
      reinterpret_cast<const uint8_t*>(table.floats.data() + table.floats.size()));
  const TestMatrix weights = MakeMatrix(DType::kF32, table.shape[0], width, std::move(file));
  Floats out(ids.elements() * width);
  for (size_t i = 0; i < ids.elements(); ++i)
    UnpackRow(weights.matrix, static_cast<size_t>(ids.integers[i]), out.data() + i * width);
  REQUIRE(out == wanted.floats);
  return "";
}

// The bicubic filter of the image path (a = -0.5, weights made up to 1 at the edges), which works
// on bytes: values are stretched by 10 to use their range. A pass rounds to whole bytes: half a
// level after the second, and half a level of each of 4 values before it, whose weights' absolute
// values add up to less than 1.4; the 22-bit weights add nothing to speak of.
std::string RunResize(const NodeView& v, const Tensor& wanted) {
  if (v.String("mode") != "cubic") return "linear resizing";
  if (v.Float("cubic_coeff_a", -0.75f) != -0.5f || v.Int("exclude_outside", 0) == 0)
    return "cubic resizing with another filter or other edges than Pillow's";
  const Tensor& x = v.in(0);
  const size_t side = x.shape[2], to = wanted.shape[2];
  if (to < side) return "shrinking without antialiasing; ours always has it";
  constexpr float kStretch = 10;
  std::vector<uint8_t> image;
  for (const float value : x.floats)
    image.insert(image.end(), 3, static_cast<uint8_t>(value * kStretch));
  std::vector<uint8_t> out(3 * to * to);
  REQUIRE(ResizeToSquare(ImageView{image.data(), side, side, 3, side * 3}, ResizeMode::kPad,
                         /*exact=*/true, to, out.data())
              .ok());
  Floats found;
  for (size_t i = 0; i < to * to; ++i) found.push_back(static_cast<float>(out[3 * i]) / kStretch);
  RequireNear(found, wanted.floats,
              std::vector<double>(found.size(), (0.5 + 0.5 * 1.4 + 0.01) / double{kStretch}));
  return "";
}

// Runs a case, or says why not.
std::string Run(const Case& c) {
  const Tensor& wanted = c.outputs[0];
  if (c.nodes.size() == 2 && c.nodes[0].type == "Transpose" && c.nodes[1].type == "MatMul")
    return RunTransposedWeight(c, wanted);
  if (c.nodes.size() == 2 && c.nodes[0].type == "Constant" && c.nodes[1].type == "Gemm") {
    Case with_constant = c;
    with_constant.tensors[c.nodes[0].outputs[0]] = c.nodes[0].attributes.at("value").t;
    return RunGemm(NodeView(with_constant, c.nodes[1]), wanted);
  }
  if (c.nodes.size() > 1) return "several nodes, which no kernel does at once";
  const NodeView v(c, c.nodes[0]);
  const std::string& type = v.node().type;
  if (type == "Gemm") return RunGemm(v, wanted);
  if (type == "MatMul") return RunMatMul(v, wanted);
  if (type == "MatMulInteger") return RunMatMulInteger(v, wanted);
  if (type == "Conv") return RunConv(v, wanted);
  if (type == "LayerNormalization") return RunNorm(v, wanted, true);
  if (type == "RMSNormalization") return RunNorm(v, wanted, false);
  if (type == "RotaryEmbedding") return RunRotary(v, wanted);
  if (type == "Attention") return RunAttention(v, wanted);
  if (type == "Softmax") return RunSoftmax(v, wanted);
  if (type == "Add") return RunBinary(v, wanted, true);
  if (type == "Mul") return RunBinary(v, wanted, false);
  if (type == "GlobalAveragePool") return RunAveragePool(v, wanted);
  if (type == "Cast") return RunCast(v, wanted);
  if (type == "Gather") return RunGather(v, wanted);
  if (type == "Resize") return RunResize(v, wanted);
  if (type == "Sigmoid") {
    return RunInPlace(v.in(0), wanted, 2e-7, [](bool reference, float* x, size_t n) {
      (reference ? reference::Sigmoid : Sigmoid)(x, n);
    });
  }
  if (type == "Gelu") {
    if (v.String("approximate") == "tanh") return "GELU by tanh; ours is the exact one";
    return RunInPlace(v.in(0), wanted, 4e-7, [](bool reference, float* x, size_t n) {
      (reference ? reference::Gelu : Gelu)(x, n);
    });
  }
  if (type == "Swish") {
    REQUIRE(v.Float("alpha", 1) == 1);
    return RunInPlace(v.in(0), wanted, 0, [](bool reference, float* x, size_t n) {
      const Floats ones(n, 1.0f);
      (reference ? reference::SiluMul : SiluMul)(x, ones.data(), x, n);
    });
  }
  if (type == "BatchNormalization")
    return "BatchNormalization: folded into convolutions at conversion, no kernel";
  if (type == "QuantizeLinear" || type == "DequantizeLinear")
    return type + ": scales and zero points are given; our blocks compute theirs";
  if (type == "ArgMax" || type == "TopK") return type + ": the sampler's business, no kernel";
  return type + ": no such kernel";
}

TEST_CASE("ONNX operator cases that match a kernel agree with it and with its reference",
          "[onnx]") {
  const auto root = SharedPath("data/ops/onnx-v1.20.0");
  std::set<std::string> ran;
  std::map<std::string, std::vector<std::string>> left_out;
  size_t all = 0;
  for (const char* group : {"node", "pytorch-converted", "pytorch-operator"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / group)) {
      const std::string folder = entry.path().filename().string();
      REQUIRE(folder.rfind("test_", 0) == 0);
      const std::string name = folder.substr(5);
      INFO(group << "/" << folder);
      ++all;
      const Result<Case> c = ReadCase(entry.path().string());
      INFO(c.status().message());
      REQUIRE(c.ok());
      const std::string reason = Run(*c);
      if (reason.empty()) {
        ran.insert(name);
      } else {
        left_out[reason].push_back(name);
      }
    }
  }
  std::printf("ONNX operator cases: %zu, run: %zu\n ", all, ran.size());
  for (const std::string& name : ran) std::printf(" %s", name.c_str());
  std::printf("\n");
  for (auto& [reason, names] : left_out) {
    std::sort(names.begin(), names.end());
    std::printf("left out: %zu, %s\n ", names.size(), reason.c_str());
    for (const std::string& name : names) std::printf(" %s", name.c_str());
    std::printf("\n");
  }
  for (const std::string& name : kRunning) {
    INFO(name);
    CHECK(ran.count(name) == 1);
  }
  for (const std::string& name : ran) {
    INFO(name << " runs and is not in the list");
    CHECK(kRunning.count(name) == 1);
  }
  CHECK(all == kAllCases);
}

TEST_CASE("The ONNX reader refuses fields that do not end inside their message", "[onnx]") {
  const std::string whole("\x08\x02\x10\x01\x4a\x08\x00\x00\x80\x3f\x00\x00\x00\x40",
                          14);  // dims 2, type float, raw data 1, 2
  const Result<Tensor> tensor = ParseTensor(whole);
  REQUIRE(tensor.ok());
  CHECK(tensor->shape == std::vector<size_t>{2});
  CHECK(tensor->floats == Floats{1, 2});
  for (size_t length = 1; length < whole.size(); ++length) {
    if (length == 2 || length == 4) continue;  // whole fields, too few of them
    CHECK_FALSE(ParseTensor(whole.substr(0, length)).ok());
  }
  CHECK_FALSE(ParseTensor(std::string("\x08\x02\x10\x01\x4a\x04\x00\x00\x80\x3f", 10))
                  .ok());  // one element for two
  CHECK_FALSE(ParseTensor(std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01", 12))
                  .ok());                                     // a huge side
  CHECK_FALSE(ParseTensor(std::string("\x0b\x00", 2)).ok());  // a group
  Case c;
  std::vector<std::string> inputs;
  CHECK_FALSE(ParseModel(std::string("\x3a\x05\x0a", 3), &c, &inputs).ok());
}

}  // namespace
}  // namespace tinyvlm::onnx
