#include "kernels/relaxed_dots.h"

#include "catch_amalgamated.hpp"

#ifdef __wasm_relaxed_simd__
#include <fstream>
#include <sstream>
#endif

namespace tinyvlm {
namespace {

int32_t Saturated(int32_t sum) { return sum < -32768 ? -32768 : sum > 32767 ? 32767 : sum; }
int32_t Wrapped(int32_t sum) { return static_cast<int16_t>(static_cast<uint16_t>(sum)); }

// The instructions of the table in relaxed_dots.h, in plain arithmetic.
TEST_CASE("IsSingleInstruction tells dots that add in 32 bits from dots that pass through 16",
          "[kernels][relaxed_dots]") {
  const int32_t by_unsigned = -128 * 255, by_minus_one = -128 * -1, by_lowest = -128 * -128;
  SECTION("vpdpbusd: unsigned by signed, four products") {
    REQUIRE(IsSingleInstruction({4 * by_unsigned, 4 * (128 * -128)}));
  }
  SECTION("vpdpbssd and sdot: signed by signed, four products") {
    REQUIRE(IsSingleInstruction({4 * by_minus_one, 4 * by_lowest}));
  }
  SECTION("pmaddubsw: unsigned by signed, sums of two saturate") {
    REQUIRE_FALSE(
        IsSingleInstruction({2 * Saturated(2 * by_unsigned), 2 * Saturated(2 * (128 * -128))}));
  }
  SECTION("smull and addp: signed by signed, sums of two wrap") {
    REQUIRE_FALSE(IsSingleInstruction({2 * Wrapped(2 * by_minus_one), 2 * Wrapped(2 * by_lowest)}));
  }
  SECTION("signed by signed, sums of two saturate") {
    REQUIRE_FALSE(
        IsSingleInstruction({2 * Saturated(2 * by_minus_one), 2 * Saturated(2 * by_lowest)}));
  }
}

#ifdef __wasm_relaxed_simd__

// The first calls of HasFastDotAdd run the loop often enough for V8 to compile it a second time;
// from then on its answer is that of the instruction itself.
TEST_CASE("HasFastDotAdd answers what the instruction's results say", "[kernels][relaxed_dots]") {
  bool found = false;
  for (int i = 0; i < 1000; ++i) found = HasFastDotAdd();
  const RelaxedDotResults results = MeasureRelaxedDot(1);
  CAPTURE(results.lowest_by_all_ones, results.lowest_by_lowest);
  REQUIRE(found == IsSingleInstruction(results));
  // One of the two outcomes of the first operands, and of the second, in the table.
  REQUIRE((results.lowest_by_all_ones == 4 * -128 * 255 || results.lowest_by_all_ones == -65536 ||
           results.lowest_by_all_ones == 4 * 128));
}

// Under Linux the processor lists its instructions; elsewhere there is nothing to compare with. The
// reverse need not hold: the engine need not use what the processor has.
TEST_CASE("HasFastDotAdd is true only on machines that have the instruction",
          "[kernels][relaxed_dots]") {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream text;
  text << file.rdbuf();
  const bool has = text.str().find("avx_vnni") != std::string::npos ||
                   text.str().find("asimddp") != std::string::npos;
  CAPTURE(text.str().size(), has);
  for (int i = 0; i < 1000; ++i) {
    if (HasFastDotAdd()) REQUIRE((has || text.str().empty()));
  }
}

#endif

}  // namespace
}  // namespace tinyvlm
