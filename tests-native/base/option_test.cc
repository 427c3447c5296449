#include "base/option.h"

#include <cfloat>
#include <limits>
#include <string_view>

#include "base/nearest.h"
#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("A number is checked against bounds that it may have", "[base]") {
  const NumberOption share{"share", 0, 1};
  CHECK(CheckOption(share, 0).ok());
  CHECK(CheckOption(share, 1).ok());
  CHECK(CheckOption(share, 1.5f).message() == "share: a number from 0 to 1 wanted, 1.5 found");
  CHECK(CheckOption(share, -0.5f).code() == ErrorCode::kInvalidArgument);
  CHECK(!CheckOption(share, std::numeric_limits<float>::quiet_NaN()).ok());
  const NumberOption open{"open", -2, FLT_MAX};
  CHECK(CheckOption(open, FLT_MAX).ok());
  CHECK(CheckOption(open, std::numeric_limits<float>::infinity()).message() ==
        "open: a number of -2 or more wanted, inf found");
}

TEST_CASE("A whole number of any type is checked against bounds that it may have", "[base]") {
  const IntegerOption small{"small", 1, 3};
  CHECK(CheckOption(small, 1).ok());
  CHECK(CheckOption(small, uint64_t{3}).ok());
  CHECK(CheckOption(small, 4u).message() == "small: a whole number from 1 to 3 wanted, 4 found");
  CHECK(CheckOption(small, -1).message() == "small: a whole number from 1 to 3 wanted, -1 found");
  CHECK(CheckOption(IntegerOption{"any", 0, UINT64_MAX}, UINT64_MAX).ok());
}

TEST_CASE("The nearest known word is found, a far one is not", "[base]") {
  const std::string_view known[] = {"topK", "topP", "maxTokens"};
  CHECK(Nearest("top_p", known) == "topP");
  CHECK(Nearest("--TOP-P", known) == "topP");
  CHECK(Nearest("tokP", known) == "topP");
  CHECK(Nearest("max_tokens", known) == "maxTokens");
  CHECK(Nearest("colour", known) == "");
  CHECK(Nearest("", {}) == "");
}

}  // namespace
}  // namespace tinyvlm
