#include "kernels/relaxed_dots.h"

#ifdef __wasm_relaxed_simd__

#include <fstream>
#include <sstream>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

// Under Linux a processor tells of its instructions; elsewhere there is nothing to compare with.
// The other direction is the engine's choice: it need not use what the processor has.
TEST_CASE("HasFastDotAdd takes no machine for one that has the instruction",
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

TEST_CASE("HasFastDotAdd can be told for a test", "[kernels][relaxed_dots]") {
  for (const bool fast : {true, false}) {
    const FastDotAddForTest dots(fast);
    REQUIRE(HasFastDotAdd() == fast);
  }
}

}  // namespace
}  // namespace tinyvlm

#endif
