#include "tensor/shape.h"

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("Shapes: products are checked, bytes follow from blocks", "[tensor][shape]") {
  CHECK(*ElementCount({}) == 1);
  CHECK(*ElementCount({2, 3, 4}) == 24);
  CHECK_FALSE(ElementCount({uint64_t{1} << 40, uint64_t{1} << 40}).ok());
  CHECK(*ByteCount({3, 64}, DType::kQ8_0) == 3 * 2 * 34);
  CHECK(*ByteCount({3, 64}, DType::kF16) == 3 * 64 * 2);
  CHECK_FALSE(ByteCount({3, 33}, DType::kQ8_0).ok());
  CHECK_FALSE(ByteCount({3, 128}, DType::kQ6_K).ok());
  CHECK_FALSE(ByteCount({uint64_t{1} << 62, 2}, DType::kF32).ok());
  CHECK(ShapeToString({96, 3, 3, 3}) == "[96, 3, 3, 3]");
}

TEST_CASE("Every known type has a name and a block, others are null", "[tensor][dtype]") {
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kI64, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    REQUIRE(FindDTypeInfo(static_cast<uint32_t>(type)) != nullptr);
    CHECK(GetDTypeInfo(type).block_bytes > 0);
  }
  CHECK(FindDTypeInfo(4) == nullptr);
  CHECK(FindDTypeInfo(0xffffffff) == nullptr);
}

}  // namespace
}  // namespace tinyvlm
