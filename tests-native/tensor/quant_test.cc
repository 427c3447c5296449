#include "tensor/quant.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "formats/safetensors.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

struct NamedType {
  const char* name;
  DType type;
};

std::vector<uint8_t> ReadBytes(const Safetensors& file, const std::string& name) {
  const SafetensorsTensor* const tensor = file.Find(name);
  INFO(name);
  REQUIRE(tensor != nullptr);
  std::vector<uint8_t> bytes(static_cast<size_t>(tensor->bytes));
  REQUIRE(file.ReadBytes(*tensor, 0, bytes.data(), bytes.size()).ok());
  return bytes;
}

std::vector<float> ReadFloats(const Safetensors& file, const std::string& name) {
  const SafetensorsTensor* const tensor = file.Find(name);
  INFO(name);
  REQUIRE(tensor != nullptr);
  std::vector<float> values(static_cast<size_t>(tensor->elements));
  REQUIRE(file.ReadF32(*tensor, 0, values.size(), values.data()).ok());
  return values;
}

// Bit by bit: -0 is not 0, and a NaN is equal to itself.
void CheckSameBits(const std::vector<float>& got, const std::vector<float>& want) {
  REQUIRE(got.size() == want.size());
  size_t different = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &want[i], sizeof(float)) != 0 &&
        !(std::isnan(got[i]) && std::isnan(want[i]))) {
      if (different++ == 0)
        UNSCOPED_INFO("first at " << i << ": " << got[i] << ", wanted " << want[i]);
    }
  }
  CHECK(different == 0);
}

TEST_CASE("Quantised bytes and values equal the reference's exactly", "[tensor][quant]") {
  const auto path = GoldenPath("quant/quant.safetensors");
  const Result<Safetensors> file = Safetensors::Open(path.string());
  REQUIRE(file.ok());
  for (const auto& [name, type] : {NamedType{"Q8_0", DType::kQ8_0}, NamedType{"Q4_0", DType::kQ4_0},
                                   NamedType{"Q4_1", DType::kQ4_1}, NamedType{"Q5_0", DType::kQ5_0},
                                   NamedType{"Q5_1", DType::kQ5_1}, NamedType{"F16", DType::kF16},
                                   NamedType{"BF16", DType::kBF16}}) {
    DYNAMIC_SECTION(name) {
      const bool half = type == DType::kF16 || type == DType::kBF16;
      const std::vector<float> x = ReadFloats(*file, half ? "half.x" : "x");
      const std::vector<uint8_t> want = ReadBytes(*file, std::string(name) + ".bytes");
      std::vector<uint8_t> bytes(want.size(), 0xaa);
      QuantizeRow(type, x.data(), x.size(), bytes.data());
      const auto got = std::mismatch(bytes.begin(), bytes.end(), want.begin()).first;
      INFO("first different byte: " << got - bytes.begin());
      CHECK(got == bytes.end());
      std::vector<float> values(x.size());
      DequantizeRow(type, want.data(), values.size(), values.data());
      CheckSameBits(values, ReadFloats(*file, std::string(name) + ".values"));
    }
  }
}

TEST_CASE("K-quant values equal the reference's exactly", "[tensor][quant]") {
  const auto path = GoldenPath("quant/quant.safetensors");
  const Result<Safetensors> file = Safetensors::Open(path.string());
  REQUIRE(file.ok());
  for (const auto& [name, type] : {NamedType{"Q4_K", DType::kQ4_K}, NamedType{"Q5_K", DType::kQ5_K},
                                   NamedType{"Q6_K", DType::kQ6_K}}) {
    DYNAMIC_SECTION(name) {
      const std::vector<uint8_t> bytes = ReadBytes(*file, std::string(name) + ".bytes");
      const std::vector<float> want = ReadFloats(*file, std::string(name) + ".values");
      std::vector<float> values(want.size());
      DequantizeRow(type, bytes.data(), values.size(), values.data());
      CheckSameBits(values, want);
      CHECK_FALSE(CanQuantize(type));
    }
  }
}

TEST_CASE("The error of a quantised value is at most about half a step", "[tensor][quant]") {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(32 * 64);
  for (float& value : x) value = normal(random);
  // Steps between neighbouring codes as a part of the block's largest magnitude A or range R:
  // A/127, A/8, R/15, A/16, R/31. The codes of Q4_0 and Q5_0 reach one step less on the side away
  // from the largest value, so an error there may be a whole step. 1/1000 of A is left for the
  // half-precision d and m.
  const struct {
    DType type;
    float of_magnitude, of_range;
  } cases[] = {{DType::kQ8_0, 0.5f / 127, 0},
               {DType::kQ4_0, 1.0f / 8, 0},
               {DType::kQ4_1, 0, 0.5f / 15},
               {DType::kQ5_0, 1.0f / 16, 0},
               {DType::kQ5_1, 0, 0.5f / 31}};
  for (const auto& c : cases) {
    REQUIRE(CanQuantize(c.type));
    std::vector<uint8_t> bytes(x.size() / 32 * GetDTypeInfo(c.type).block_bytes);
    std::vector<float> values(x.size());
    QuantizeRow(c.type, x.data(), x.size(), bytes.data());
    DequantizeRow(c.type, bytes.data(), x.size(), values.data());
    for (size_t b = 0; b < x.size(); b += 32) {
      const auto [min, max] = std::minmax_element(x.begin() + static_cast<ptrdiff_t>(b),
                                                  x.begin() + static_cast<ptrdiff_t>(b + 32));
      const float magnitude = std::max(std::fabs(*min), std::fabs(*max));
      const float limit =
          c.of_magnitude * magnitude + c.of_range * (*max - *min) + magnitude / 1000;
      for (size_t i = b; i < b + 32; ++i) REQUIRE(std::fabs(values[i] - x[i]) <= limit);
    }
  }
}

TEST_CASE("Blocks too small for an inverse become zeros", "[tensor][quant]") {
  const std::vector<float> tiny(32, 1e-40f);
  for (const DType type : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1}) {
    std::vector<uint8_t> bytes(GetDTypeInfo(type).block_bytes);
    std::vector<float> values(32, 1.0f);
    QuantizeRow(type, tiny.data(), 32, bytes.data());
    DequantizeRow(type, bytes.data(), 32, values.data());
    for (const float value : values) CHECK(value == 0.0f);
  }
}

TEST_CASE("f32 rows are copied bit by bit", "[tensor][quant]") {
  const std::vector<float> x{1.5f, -0.0f, 1e-40f, 3e38f};
  std::vector<uint8_t> bytes(16);
  std::vector<float> values(4);
  QuantizeRow(DType::kF32, x.data(), 4, bytes.data());
  DequantizeRow(DType::kF32, bytes.data(), 4, values.data());
  CheckSameBits(values, x);
}

}  // namespace
}  // namespace tinyvlm
