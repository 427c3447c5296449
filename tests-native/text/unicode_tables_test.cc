#include "catch_amalgamated.hpp"
#include "text/model_writer.h"
#include "unicode_tables_generator.h"

namespace tinyvlm {
namespace {

TEST_CASE("The Unicode tables in the repository are what utf8proc's data gives",
          "[text][unicode_tables]") {
  // Not CHECK(a == b): that would print both.
  const bool current =
      ReadWholeFile(std::string(TINYVLM_SOURCE_DIR) + "/cpp/text/unicode_tables.cc") ==
      unicode::GenerateUnicodeTables();
  INFO("cpp/text/unicode_tables.cc says how to make it anew");
  CHECK(current);
}

}  // namespace
}  // namespace tinyvlm
