// Runs a test on every SIMD target that this machine has and the kernels were compiled for.
#ifndef TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_
#define TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_

#include <cstdint>
#include <vector>

#include "catch_amalgamated.hpp"
#include "hwy/highway.h"
#include "kernels/arm_int8.h"
#include "kernels/relaxed_dots.h"

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
    body();
    if (targets.size() > 1) REQUIRE(hwy::GetChosenTarget().IsInitialized());
  }
}

// The same with body(relaxed_dot) for each kind of int8 instructions that the build chooses among:
// either dot product of relaxed wasm, those of Arm that the processor has; once where there is no
// choice.
template <class Body>
void ForEachTargetAndDot(const Body& body) {
  ForEachTarget([&] {
#ifdef __wasm_relaxed_simd__
    for (const auto dot : {tinyvlm::RelaxedDot::kTwo, tinyvlm::RelaxedDot::kFour}) {
      INFO("relaxed dot of " << (dot == tinyvlm::RelaxedDot::kTwo ? "two" : "four"));
      body(dot);
    }
#elif TINYVLM_CHOOSES_ARM_INT8
    using tinyvlm::ArmInt8;
    struct Unlimited {
      ~Unlimited() { tinyvlm::LimitArmInt8(ArmInt8::kI8mm); }
    } unlimited;
    for (const auto instructions : {ArmInt8::kNeon, ArmInt8::kDotProd, ArmInt8::kI8mm}) {
      tinyvlm::LimitArmInt8(instructions);
      if (tinyvlm::ChosenArmInt8() != instructions) continue;
      INFO("int8 instructions: " << tinyvlm::NameOf(instructions));
      body(tinyvlm::RelaxedDot::kFaster);
    }
#else
    body(tinyvlm::RelaxedDot::kFaster);
#endif
  });
}

#endif  // TINYVLM_TESTS_KERNELS_FOR_EACH_TARGET_H_
