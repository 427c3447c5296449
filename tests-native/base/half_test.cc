#include "base/half.h"

#include <cmath>
#include <limits>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("Every f16 goes to f32 and back unchanged", "[base][half]") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = F16ToF32(half);
    if (std::isnan(value)) {
      // NaN comes back quiet, with its sign and payload.
      REQUIRE(F32ToF16(value) == (half | 0x200));
    } else {
      REQUIRE(F32ToF16(value) == half);
      const int exponent = half >> 10 & 31;
      const double mantissa = half & 1023;
      const double magnitude = exponent == 31  ? HUGE_VAL
                               : exponent == 0 ? std::ldexp(mantissa, -24)
                                               : std::ldexp(1024 + mantissa, exponent - 25);
      REQUIRE(value == (half & 0x8000 ? -magnitude : magnitude));
      REQUIRE(std::signbit(value) == ((half & 0x8000) != 0));
    }
  }
}

TEST_CASE("Every bf16 goes to f32 and back unchanged", "[base][half]") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = BF16ToF32(half);
    REQUIRE(F32ToBF16(value) == (std::isnan(value) ? half | 0x40 : half));
  }
}

// Between two neighbouring halves a value goes to the nearer one, and from the middle to the one
// with an even last bit.
template <typename ToF32, typename FromF32>
void CheckRounding(uint16_t largest, ToF32 to_f32, FromF32 from_f32) {
  for (uint32_t bits = 0; bits < largest; ++bits) {
    const float low = to_f32(static_cast<uint16_t>(bits)),
                high = to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = static_cast<float>((static_cast<double>(low) + high) / 2);
    const uint32_t even = bits + (bits & 1);
    REQUIRE(from_f32(middle) == even);
    REQUIRE(from_f32(-middle) == (even | 0x8000));
    REQUIRE(from_f32(std::nextafter(middle, 0.0f)) == bits);
    REQUIRE(from_f32(std::nextafter(middle, HUGE_VALF)) == bits + 1);
  }
}

TEST_CASE("f32 rounds to the nearest half, ties to even, denormals included", "[base][half]") {
  CheckRounding(0x7bff, F16ToF32, F32ToF16);
  CheckRounding(0x7f7f, BF16ToF32, F32ToBF16);
}

TEST_CASE("Values beyond the largest half become infinite", "[base][half]") {
  CHECK(F32ToF16(65504.0f) == 0x7bff);
  CHECK(F32ToF16(65519.99f) == 0x7bff);
  CHECK(F32ToF16(65520.0f) == 0x7c00);
  CHECK(F32ToF16(-1e30f) == 0xfc00);
  CHECK(F32ToF16(HUGE_VALF) == 0x7c00);
  CHECK(F32ToBF16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(F32ToF16(std::numeric_limits<float>::denorm_min()) == 0);
}

}  // namespace
}  // namespace tinyvlm
