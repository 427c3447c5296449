#include "kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

const size_t kSizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100};

// Every 61st f32 from 2^-5 to `largest`, in order of their bits, and every 9973rd below, each with
// its negative. Coarser sweeps miss the largest errors: they lie where several roundings happen to
// agree.
std::vector<float> Sweep(float largest) {
  std::vector<float> values;
  uint32_t last = 0, dense = 0;
  const float dense_from = 0.03125f;
  std::memcpy(&last, &largest, sizeof(last));
  std::memcpy(&dense, &dense_from, sizeof(dense));
  for (uint32_t bits = 0; bits <= last; bits += bits < dense ? 9973 : 61) {
    float v = 0.0f;
    std::memcpy(&v, &bits, sizeof(v));
    values.push_back(v);
    values.push_back(-v);
  }
  return values;
}

// Against f64, not against the reference's f32: that is rounded itself, by up to 2.4e-7 between 4
// and 8.
double LargestError(const std::vector<float>& found, const std::vector<double>& wanted) {
  double largest = 0.0;
  for (size_t i = 0; i < found.size(); ++i)
    largest = std::max(largest, std::fabs(static_cast<double>(found[i]) - wanted[i]));
  return largest;
}

TEST_CASE(
    "Gelu is within 4e-7 of the exact form up to 6, and beyond within two units in the last place "
    "of x or 1e-7 of 0",
    "[kernels][activation]") {
  const std::vector<float> x = Sweep(6.0f);
  std::vector<double> wanted;
  for (const float v : x)
    wanted.push_back(0.5 * static_cast<double>(v) *
                     std::erfc(-static_cast<double>(v) / std::sqrt(2.0)));
  std::vector<float> large = {5.99f,
                              6.0f,
                              6.01f,
                              8.0f,
                              9.99f,
                              10.0f,
                              30.0f,
                              1000.0f,
                              1e20f,
                              std::numeric_limits<float>::max(),
                              std::numeric_limits<float>::infinity()};
  const size_t positive = large.size();
  // not -infinity: the reference multiplies it by 0
  for (size_t i = 0; i + 1 < positive; ++i) large.push_back(-large[i]);
  std::vector<float> wanted_large = large;
  reference::Gelu(wanted_large.data(), wanted_large.size());
  ForEachTarget([&] {
    std::vector<float> found = x;
    Gelu(found.data(), found.size());
    const double error = LargestError(found, wanted);
    INFO("largest error " << error);
    REQUIRE(error < 4e-7);
    found = large;
    Gelu(found.data(), found.size());
    for (size_t i = 0; i < large.size(); ++i) {
      INFO(large[i]);
      if (std::isinf(large[i])) {
        REQUIRE(found[i] == large[i]);
      } else {
        REQUIRE(std::fabs(found[i] - wanted_large[i]) <=
                (large[i] > 0.0f ? std::fabs(wanted_large[i]) * 2.4e-7f : 1e-7f));
      }
    }
  });
}

TEST_CASE("Sigmoid is within 2e-7 and SiluMul within a relative 5e-7 of the exact values",
          "[kernels][activation]") {
  const std::vector<float> x = Sweep(200.0f);
  std::vector<double> wanted;
  for (const float v : x) wanted.push_back(1.0 / (1.0 + std::exp(-static_cast<double>(v))));
  const std::vector<float> up = Values(x.size(), 1, 3.0f);
  std::vector<float> wanted_silu(x.size());
  reference::SiluMul(x.data(), up.data(), wanted_silu.data(), x.size());
  ForEachTarget([&] {
    std::vector<float> found = x;
    Sigmoid(found.data(), found.size());
    REQUIRE(LargestError(found, wanted) < 2e-7);
    SiluMul(x.data(), up.data(), found.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      // Where exp(-|x|) is no normal number, what it is at 87.33 stands for it: off by less than
      // 200 * 1.2e-38 * 3.
      const double error =
          std::fabs(static_cast<double>(found[i]) - static_cast<double>(wanted_silu[i]));
      if (error <= 5e-7 * std::fabs(static_cast<double>(wanted_silu[i])) + 1e-35) continue;
      FAIL(x[i] << " * " << up[i] << ": " << wanted_silu[i] << " wanted, " << found[i] << " found");
    }
  });
}

TEST_CASE("Element-wise steps equal the reference for every remainder and write nothing else",
          "[kernels][activation]") {
  for (const size_t n : kSizes) {
    CAPTURE(n);
    const std::vector<float> a = Values(n + 1, 1), b = Values(n + 1, 2);
    std::vector<float> wanted(n), wanted_relu(a.begin() + 1, a.end());
    reference::AddRows(a.data() + 1, b.data() + 1, n, wanted.data());
    reference::Relu(wanted_relu.data(), n);
    ForEachTarget([&] {
      std::vector<float> found(n + 2, 7.0f);
      AddRows(a.data() + 1, b.data() + 1, n, found.data() + 1);
      REQUIRE(SameBits(found.data() + 1, wanted.data(), n));
      REQUIRE((found[0] == 7.0f && found[n + 1] == 7.0f));
      std::vector<float> relu(a.begin() + 1, a.end());
      Relu(relu.data(), n);
      REQUIRE(SameBits(relu.data(), wanted_relu.data(), n));
      std::vector<float> sigmoid(a.begin() + 1, a.end()), wanted_sigmoid = sigmoid;
      Sigmoid(sigmoid.data(), n);
      reference::Sigmoid(wanted_sigmoid.data(), n);
      RequireWithin(sigmoid, wanted_sigmoid, std::vector<float>(n, 1.0f), 2e-7);
    });
  }
}

TEST_CASE("ScaleAddRows is the residual with layer scale, also in place", "[kernels][activation]") {
  for (const size_t n : kSizes) {
    for (const size_t rows : {1, 3}) {
      CAPTURE(n, rows);
      const std::vector<float> x = Values(rows * n, 1), y = Values(rows * n, 2),
                               gamma = Values(n, 3);
      std::vector<float> wanted(rows * n);
      reference::ScaleAddRows(x.data(), y.data(), gamma.data(), rows, n, wanted.data());
      ForEachTarget([&] {
        std::vector<float> found = y;
        ScaleAddRows(x.data(), found.data(), gamma.data(), rows, n, found.data());
        // product and sum, each of at most 2
        RequireWithin(found, wanted, std::vector<float>(rows * n, 2.0f), 2 * kRounding);
      });
    }
  }
}

TEST_CASE("An activation does not depend on the position of a value", "[kernels][activation]") {
  const size_t n = 37;
  const std::vector<float> x = Values(n, 4, 5.0f);
  ForEachTarget([&] {
    for (void (*const function)(float*, size_t) : {&Gelu, &Relu, &Sigmoid}) {
      std::vector<float> whole = x, single = x;
      function(whole.data(), n);
      for (size_t i = 0; i < n; ++i) function(single.data() + i, 1);
      REQUIRE(SameBits(whole.data(), single.data(), n));
    }
    std::vector<float> whole(n), single(n);
    SiluMul(x.data(), x.data(), whole.data(), n);
    for (size_t i = 0; i < n; ++i) SiluMul(x.data() + i, x.data() + i, single.data() + i, 1);
    REQUIRE(SameBits(whole.data(), single.data(), n));
  });
}

TEST_CASE("A NaN stays a NaN", "[kernels][activation]") {
  ForEachTarget([&] {
    for (void (*const function)(float*, size_t) : {&Gelu, &Relu, &Sigmoid}) {
      float x[3] = {1.0f, std::numeric_limits<float>::quiet_NaN(), -1.0f};
      function(x, 3);
      REQUIRE(std::isnan(x[1]));
      REQUIRE((!std::isnan(x[0]) && !std::isnan(x[2])));
    }
  });
}

}  // namespace
}  // namespace tinyvlm
