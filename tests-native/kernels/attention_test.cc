#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

struct Inputs {
  size_t q_stride, k_stride, v_stride, out_stride;
  std::vector<float> q, k, v;
};

Inputs MakeInputs(size_t rows, size_t keys, size_t head_dim) {
  Inputs in;
  in.q_stride = head_dim + 5, in.k_stride = head_dim + 3, in.v_stride = head_dim + 1,
  in.out_stride = head_dim + 2;
  // The last row ends with its head, so that reading further shows.
  in.q = Values((rows - 1) * in.q_stride + head_dim, 1, 3.0f);
  in.k = Values((keys - 1) * in.k_stride + head_dim, 2, 3.0f);
  in.v = Values((keys - 1) * in.v_stride + head_dim, 3);
  return in;
}

// What the panels hold beside keys must not matter.
std::vector<float> Panels(const std::vector<float>& k, size_t k_stride, size_t keys,
                          size_t head_dim) {
  std::vector<float> panels(KeyPanelFloats(keys, head_dim),
                            std::numeric_limits<float>::quiet_NaN());
  PackKeys(k.data(), k_stride, 0, keys, head_dim, panels.data());
  return panels;
}

std::vector<float> Attend(const Inputs& in, size_t r0, size_t rows, size_t keys, bool causal,
                          size_t head_dim, float scale) {
  std::vector<float> out((rows - 1) * in.out_stride + head_dim, 7.0f);
  const size_t all_keys = causal ? keys + rows - 1 : keys;
  std::vector<float> scratch(AttentionScratchFloats(rows, all_keys, head_dim));
  const std::vector<float> panels = Panels(in.k, in.k_stride, all_keys, head_dim);
  AttentionTile(in.q.data() + r0 * in.q_stride, in.q_stride, rows, panels.data(), in.v.data(),
                in.v_stride, keys, causal, head_dim, scale, out.data(), in.out_stride,
                scratch.data());
  return out;
}

TEST_CASE("PackKeys puts every key into its column and touches no others", "[kernels][attention]") {
  for (const size_t head_dim : {1, 6, 24, 64}) {
    for (const size_t first : {0, 1, 4, 13, 16, 30}) {
      for (const size_t count : {1, 3, 4, 5, 16, 35}) {
        CAPTURE(head_dim, first, count);
        const size_t stride = head_dim + 3;
        const std::vector<float> k = Values((count - 1) * stride + head_dim, 1);
        std::vector<float> wanted(KeyPanelFloats(first + count, head_dim), 7.0f);
        for (size_t j = 0; j < count; ++j) {
          for (size_t i = 0; i < head_dim; ++i)
            wanted[(first + j) / 16 * 16 * head_dim + i * 16 + (first + j) % 16] =
                k[j * stride + i];
        }
        ForEachTarget([&] {
          std::vector<float> found(wanted.size(), 7.0f);
          PackKeys(k.data(), stride, first, count, head_dim, found.data());
          REQUIRE(SameBits(found.data(), wanted.data(), wanted.size()));
        });
      }
    }
  }
}

// A score is a sum of head_dim products of at most 9, times scale: it is off by at most (head_dim +
// 2) roundings of 9 head_dim scale = 9 sqrt(head_dim), which moves a weight by the same relative
// amount; exp adds 2e-7, at most 4 roundings. |v| <= 1, so the mean moves by twice that (numerator
// and sum) and by the roundings of two sums over the keys.
TEST_CASE("AttentionTile equals the reference for every remainder", "[kernels][attention]") {
  for (const bool causal : {false, true}) {
    for (const size_t head_dim : {2, 6, 16, 24, 32, 64, 80}) {
      for (const size_t rows : {1, 2, 12, 13, 31}) {
        for (const size_t keys : {1, 2, 7, 8, 9, 16, 63, 64, 65, 150, 255, 256, 257, 530}) {
          if (keys > 150 && head_dim != 24 && head_dim != 64) continue;
          CAPTURE(causal, head_dim, rows, keys);
          const size_t all_keys = causal ? keys + rows - 1 : keys;
          const Inputs in = MakeInputs(rows, all_keys, head_dim);
          const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
          std::vector<float> wanted((rows - 1) * in.out_stride + head_dim, 7.0f);
          reference::AttentionTile(in.q.data(), in.q_stride, rows, in.k.data(), in.k_stride,
                                   in.v.data(), in.v_stride, keys, causal, head_dim, scale,
                                   wanted.data(), in.out_stride);
          const double d = static_cast<double>(head_dim);
          const double roundings = 2.0 * ((d + 2.0) * 9.0 * std::sqrt(d) + 4.0) +
                                   2.0 * static_cast<double>(all_keys) + 4.0;
          ForEachTarget([&] {
            const std::vector<float> found = Attend(in, 0, rows, keys, causal, head_dim, scale);
            RequireWithin(found, wanted, std::vector<float>(wanted.size(), 1.0f),
                          roundings * kRounding);
          });
        }
      }
    }
  }
}

TEST_CASE("AttentionTile gives a row the same bits alone and in a tile", "[kernels][attention]") {
  for (const auto& shape :
       {std::pair<size_t, size_t>{24, 77}, {32, 77}, {64, 77}, {64, 250}, {32, 505}}) {
    const size_t head_dim = shape.first, keys = shape.second, rows = 31;
    const Inputs in = MakeInputs(rows, keys + rows - 1, head_dim);
    CAPTURE(head_dim);
    ForEachTarget([&] {
      for (const bool causal : {false, true}) {
        const std::vector<float> whole = Attend(in, 0, rows, keys, causal, head_dim, 0.2f);
        for (size_t r = 0; r < rows; ++r) {
          const std::vector<float> row =
              Attend(in, r, 1, causal ? keys + r : keys, causal, head_dim, 0.2f);
          REQUIRE(SameBits(row.data(), whole.data() + r * in.out_stride, head_dim));
        }
        for (const size_t r0 : {1, 5, 12}) {
          const std::vector<float> part =
              Attend(in, r0, 14, causal ? keys + r0 : keys, causal, head_dim, 0.2f);
          for (size_t r = 0; r < 14; ++r)
            REQUIRE(SameBits(part.data() + r * in.out_stride,
                             whole.data() + (r0 + r) * in.out_stride, head_dim));
        }
      }
    });
  }
}

// The largest score comes ever later, so that every part of the keys is scaled down by the next
// one; or at once, so that none is.
TEST_CASE("AttentionTile equals the reference where the largest score comes late or early",
          "[kernels][attention]") {
  const size_t head_dim = 16, rows = 3, keys = 900;
  for (const bool rising : {true, false}) {
    Inputs in = MakeInputs(rows, keys, head_dim);
    for (size_t r = 0; r < rows; ++r) in.q[r * in.q_stride] = 1.0f;
    for (size_t j = 0; j < keys; ++j)
      in.k[j * in.k_stride] = static_cast<float>(rising ? j : keys - j) * 0.1f;
    std::vector<float> wanted((rows - 1) * in.out_stride + head_dim, 7.0f);
    reference::AttentionTile(in.q.data(), in.q_stride, rows, in.k.data(), in.k_stride, in.v.data(),
                             in.v_stride, keys, false, head_dim, 1.0f, wanted.data(),
                             in.out_stride);
    CAPTURE(rising);
    // A score is below 90 + 9 * 16 and has 18 roundings; the mean moves by twice that, and by those
    // of two sums over the keys.
    ForEachTarget([&] {
      RequireWithin(Attend(in, 0, rows, keys, false, head_dim, 1.0f), wanted,
                    std::vector<float>(wanted.size(), 1.0f),
                    (2.0 * (18.0 * 234.0 + 4.0) + 2.0 * 900.0 + 4.0) * kRounding);
    });
  }
}

TEST_CASE("AttentionTile stays finite for scores far apart, and one dominant key gives its value",
          "[kernels][attention]") {
  const size_t head_dim = 16, keys = 20;
  std::vector<float> q(head_dim, 100.0f), k(keys * head_dim, -100.0f);
  const std::vector<float> v = Values(keys * head_dim, 3);
  std::fill_n(k.begin() + 7 * head_dim, head_dim, 100.0f);
  ForEachTarget([&] {
    std::vector<float> out(head_dim), scratch(AttentionScratchFloats(1, keys, head_dim));
    const std::vector<float> panels = Panels(k, head_dim, keys, head_dim);
    AttentionTile(q.data(), head_dim, 1, panels.data(), v.data(), head_dim, keys, false, head_dim,
                  1.0f, out.data(), head_dim, scratch.data());
    REQUIRE(SameBits(out.data(), v.data() + 7 * head_dim, head_dim));
  });
}

}  // namespace
}  // namespace tinyvlm
