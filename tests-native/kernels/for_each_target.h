// Runs a test on every SIMD target that this machine has and the kernels were compiled for, and
// with every choice that a target leaves to the machine.
#ifndef TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_
#define TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_

#include <cstdint>
#include <vector>

#include "catch_amalgamated.hpp"
#include "hwy/highway.h"
#include "kernels/relaxed_dots.h"

#ifdef __wasm_relaxed_simd__
// Calls body() with the kernels for either dot of bytes.
template <class Body>
void ForEachDot(const Body& body) {
  for (const bool fast : {false, true}) {
    INFO("fast relaxed dot_add: " << fast);
    const tinyvlm::FastDotAddForTest dots(fast);
    body();
  }
}
#else
template <class Body>
void ForEachDot(const Body& body) {
  body();
}
#endif

// Calls body() once per target, with dispatch limited to it. Fails where there are several targets
// and the body dispatched nothing: it then tested something else.
template <class Body>
void ForEachTarget(const Body& body) {
  struct Restore {
    ~Restore() { hwy::SetSupportedTargetsForTest(0); }
  } restore;
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  REQUIRE(!targets.empty());
  for (const int64_t target : targets) {
    INFO("target " << hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    ForEachDot(body);
    if (targets.size() > 1) REQUIRE(hwy::GetChosenTarget().IsInitialized());
  }
}

#endif  // TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_
