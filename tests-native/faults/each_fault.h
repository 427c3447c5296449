// Runs a piece of work again and again, each time with another operation failing.
#ifndef TINYVLM_TESTS_FAULTS_EACH_FAULT_H_
#define TINYVLM_TESTS_FAULTS_EACH_FAULT_H_

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "api/tinyvlm.h"
#include "catch_amalgamated.hpp"
#include "faults/injection.h"

namespace tinyvlm {

// How often a work ended in each way.
using Outcomes = std::map<std::string, size_t>;

// Runs `work(injection)`, which returns the tvlm_code that it ended with, without a fault and then
// once for each operation, alone and with all that follow. A code other than TVLM_OK must be
// `wanted`, and an error that no fault led to is a failure. `check(code)` looks at what is left.
//
// Of more than 400 operations some are left out, evenly, but for the first 200; with
// TINYVLM_EVERY_FAULT=1 none is.
template <typename Work, typename Check>
void EachFault(const char* name, Fault fault, tvlm_code wanted, const Work& work,
               const Check& check) {
  INFO(name);
  Injection quiet(fault, Injection::kNever, false);
  REQUIRE(work(quiet) == TVLM_OK);
  check(TVLM_OK);
  const uint64_t count = quiet.count();
  REQUIRE(count > 0);
  constexpr uint64_t kFirst = 200, kSpread = 200;
  const bool every = std::getenv("TINYVLM_EVERY_FAULT") != nullptr;
  const uint64_t step =
      every || count <= kFirst + kSpread ? 1 : (count - kFirst + kSpread - 1) / kSpread;
  Outcomes outcomes;
  size_t injected = 0;
  for (const bool lasting : {false, true}) {
    for (uint64_t at = 0; at < count; at += at < kFirst ? 1 : step) {
      INFO((lasting ? "from operation " : "operation ") << at << " of " << count);
      Injection injection(fault, at, lasting);
      const tvlm_code code = work(injection);
      if (code != TVLM_OK) {
        CHECK(injection.failed());
        REQUIRE(tvlm_code_name(code) == std::string(tvlm_code_name(wanted)));
      }
      check(code);
      ++outcomes[tvlm_code_name(code)];
      ++injected;
    }
  }
  std::printf("%-34s %6llu operations %6zu faults:", name, static_cast<unsigned long long>(count),
              injected);
  for (const auto& [outcome, times] : outcomes) std::printf(" %s %zu", outcome.c_str(), times);
  std::printf("\n");
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FAULTS_EACH_FAULT_H_
