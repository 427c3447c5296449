// Inputs of kernel tests, and the comparison with a bound for each element.
#ifndef TINYVLM_TESTS_KERNELS_VALUES_H_
#define TINYVLM_TESTS_KERNELS_VALUES_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "catch_amalgamated.hpp"

// Half a unit in the last place of 1.0f: the relative error of one rounding.
inline constexpr double kRounding = 1.0 / 16777216.0;

// n values in [-range, range), the same on every machine.
inline std::vector<float> Values(size_t n, uint32_t seed, float range = 1.0f) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = (static_cast<float>(random() >> 8) / 8388608.0f - 1.0f) * range;
  return values;
}

inline std::vector<float> Absolute(std::vector<float> values) {
  for (float& v : values) v = std::fabs(v);
  return values;
}

// Fails at the first element that is further than bounds[i] * factor from what is wanted. `factor`
// is a number of roundings, `bounds` the sum of the absolute values that were added up.
inline void RequireWithin(const std::vector<float>& found, const std::vector<float>& wanted,
                          const std::vector<float>& bounds, double factor) {
  REQUIRE(found.size() == wanted.size());
  REQUIRE(found.size() == bounds.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::fabs(static_cast<double>(found[i]) - static_cast<double>(wanted[i])),
                 bound = factor * static_cast<double>(bounds[i]);
    if (error <= bound) continue;
    FAIL("element " << i << ": " << wanted[i] << " wanted, " << found[i] << " found, " << bound
                    << " allowed");
  }
}

inline bool SameBits(const float* a, const float* b, size_t n) {
  return n == 0 || std::memcmp(a, b, n * sizeof(float)) == 0;
}

#endif  // TINYVLM_TESTS_KERNELS_VALUES_H_
