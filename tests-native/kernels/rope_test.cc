#include "kernels/rope.h"

#include <cmath>

#include "for_each_target.h"
#include "values.h"

namespace tinyvlm {
namespace {

TEST_CASE("RopeTable holds cos and sin of position * theta^(-2 i / head_dim)", "[kernels][rope]") {
  const size_t head_dim = 64;
  Result<RopeTable> table = RopeTable::Create(2048, head_dim, 1e6);
  REQUIRE(table.ok());
  REQUIRE(table->bytes() == 2048 * 32 * 2 * sizeof(float));
  for (const size_t position : {0, 1, 77, 2047}) {
    for (const size_t i : {0, 1, 17, 31}) {
      const double angle =
          static_cast<double>(position) / std::pow(1e6, 2.0 * static_cast<double>(i) / head_dim);
      REQUIRE(std::fabs(static_cast<double>(table->cos(position)[i]) - std::cos(angle)) < 6e-8);
      REQUIRE(std::fabs(static_cast<double>(table->sin(position)[i]) - std::sin(angle)) < 6e-8);
    }
  }
}

TEST_CASE("ApplyRope turns the two halves of each head against each other", "[kernels][rope]") {
  for (const size_t head_dim : {2, 6, 8, 16, 18, 32, 34, 64, 128}) {
    for (const size_t heads : {1, 3}) {
      CAPTURE(head_dim, heads);
      Result<RopeTable> table = RopeTable::Create(10, head_dim, 1e4);
      REQUIRE(table.ok());
      const std::vector<float> x = Values(heads * head_dim, 1);
      std::vector<float> wanted = x;
      reference::ApplyRope(wanted.data(), heads, head_dim, table->cos(9), table->sin(9));
      ForEachTarget([&] {
        std::vector<float> found = x;
        ApplyRope(found.data(), heads, head_dim, table->cos(9), table->sin(9));
        // two products and a sum
        RequireWithin(found, wanted, std::vector<float>(x.size(), 2.0f), 3 * kRounding);
        found = x;
        ApplyRope(found.data(), heads, head_dim, table->cos(0), table->sin(0));
        REQUIRE(found == x);
      });
    }
  }
}

}  // namespace
}  // namespace tinyvlm
