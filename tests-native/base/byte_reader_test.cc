#include "base/byte_reader.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("ByteReader reads little-endian values in order", "[base][byte_reader]") {
  const std::vector<uint8_t> bytes{0x01, 0x02, 0x03, 0xff, 0xff, 0xff, 0xff,
                                   0x00, 0x00, 0x80, 0x3f, 'a',  'b'};
  ByteReader reader(bytes);
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  int32_t i32 = 0;
  float f32 = 0;
  REQUIRE(reader.Read(&u8));
  REQUIRE(reader.Read(&u16));
  REQUIRE(reader.Read(&i32));
  REQUIRE(reader.Read(&f32));
  CHECK(u8 == 1);
  CHECK(u16 == 0x0302);
  CHECK(i32 == -1);
  CHECK(f32 == 1.0f);
  std::span<const uint8_t> view;
  REQUIRE(reader.ReadBytes(2, &view));
  CHECK(AsText(view) == "ab");
  CHECK(reader.remaining() == 0);
}

TEST_CASE("ByteReader refuses to pass the end and does not move then", "[base][byte_reader]") {
  const std::vector<uint8_t> bytes{1, 2, 3};
  ByteReader reader(bytes);
  uint32_t u32 = 7;
  std::span<const uint8_t> view;
  CHECK_FALSE(reader.Read(&u32));
  CHECK(u32 == 7);
  CHECK_FALSE(reader.ReadBytes(4, &view));
  CHECK_FALSE(reader.ReadBytes(std::numeric_limits<uint64_t>::max(), &view));
  CHECK(reader.position() == 0);
  CHECK(reader.ReadBytes(3, &view));
  CHECK(reader.ReadBytes(0, &view));
}

}  // namespace
}  // namespace tinyvlm
