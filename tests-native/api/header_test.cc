// tinyvlm.h in C: what header_test.c, compiled as C99, says.
#include "catch_amalgamated.hpp"

extern "C" int tinyvlm_header_is_c(void);

namespace {

TEST_CASE("The header is C99, and C calls the library", "[api]") {
  CHECK(tinyvlm_header_is_c() == 1);
}

}  // namespace
