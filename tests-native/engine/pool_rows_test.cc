#include "engine/pool_rows.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("Pooled rows are their mean at a length of 1", "[engine][pool_rows]") {
  // The mean is (3, 0, 4).
  const std::vector<float> rows = {1, -2, 4, 5, 2, 4};
  std::vector<float> vector(3);
  REQUIRE(PoolRows(rows, vector).ok());
  CHECK(vector == std::vector<float>{0.6F, 0, 0.8F});

  std::vector<float> one(2);
  REQUIRE(PoolRows(std::vector<float>{0, -7}, one).ok());
  CHECK(one == std::vector<float>{0, -1});
}

TEST_CASE("Rows of any width are pooled by their definition", "[engine][pool_rows]") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const size_t width : {1, 2, 63, 64, 65, 128, 200}) {
    for (const size_t count : {1, 2, 17}) {
      INFO(count << " rows of " << width);
      std::vector<float> rows(count * width);
      for (float& value : rows) value = normal(random);
      std::vector<float> vector(width);
      REQUIRE(PoolRows(rows, vector).ok());
      std::vector<double> mean(width);
      double squares = 0;
      for (size_t c = 0; c < width; ++c) {
        for (size_t t = 0; t < count; ++t) mean[c] += double{rows[t * width + c]};
        mean[c] /= static_cast<double>(count);
        squares += mean[c] * mean[c];
      }
      // Two roundings to float, of the mean and of the result, and one of the norm's terms, each of
      // half a unit in the last place (2^-24 of the value).
      for (size_t c = 0; c < width; ++c)
        CHECK(std::fabs(double{vector[c]} - mean[c] / std::sqrt(squares)) <=
              std::fabs(double{vector[c]}) * 3 * 0x1p-24);
    }
  }
}

TEST_CASE("Large sums do not overflow and lose nothing small", "[engine][pool_rows]") {
  // In float the sum of the first column would be infinite, that of the second 0.
  const float large = std::numeric_limits<float>::max();
  std::vector<float> vector(2);
  REQUIRE(PoolRows(std::vector<float>{large, 1e8F, large, 1, large, -1e8F}, vector).ok());
  CHECK(vector[0] == 1);
  REQUIRE(PoolRows(std::vector<float>{0, 1e8F, 0, 1, 0, -1e8F}, vector).ok());
  CHECK(vector == std::vector<float>{0, 1});
}

TEST_CASE("Rows without a direction, or that are no numbers, are an error", "[engine][pool_rows]") {
  std::vector<float> vector(2);
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& rows : std::vector<std::vector<float>>{
           {0, 0}, {1, -1, -1, 1}, {nan, 1}, {1, nan, 1, 1}, {infinity, 1}, {1, -infinity}}) {
    const Status status = PoolRows(rows, vector);
    CHECK(status.code() == ErrorCode::kInternal);
  }
  CHECK(PoolRows(std::vector<float>{0, 0}, vector).message() ==
        "an embedding of a length above 0 wanted, 0 found; the model's weights may be damaged");
}

}  // namespace
}  // namespace tinyvlm
