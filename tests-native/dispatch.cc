// Says which SIMD target the kernels of a test program run on, and forces one where the environment
// names it, so that whole models can be computed on each that a machine has:
//
//   TINYVLM_TEST_TARGET=SSE4        a target of Highway's
//   TINYVLM_TEST_ARM_INT8=dotprod   NEON, dotprod or i8mm (kernels/arm_int8.h)
//
// The tests of single kernels go through all of them by themselves (kernels/for_each_target.h).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "hwy/highway.h"
#include "kernels/arm_int8.h"

namespace {

// The value of an environment variable; empty where there is none.
std::string Wanted(const char* variable) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

// A test of something else than was wanted would tell a lie.
[[noreturn]] void Missing(const std::string& wanted, const std::string& found) {
  std::fprintf(stderr, "%s wanted, this machine and build have %s\n", wanted.c_str(),
               found.c_str());
  std::exit(EXIT_FAILURE);
}

// Those of the build that this machine has, the best first, which is the one that kernels use.
std::string TargetNames() {
  std::string names;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (!names.empty()) names += ' ';
    names += hwy::TargetName(target);
  }
  return names;
}

void ForceTarget(const std::string& wanted) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (wanted != hwy::TargetName(target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    return;
  }
  Missing("the target " + wanted, TargetNames());
}

#if TINYVLM_CHOOSES_ARM_INT8
void ForceArmInt8(const std::string& wanted) {
  using tinyvlm::ArmInt8;
  const std::string best = tinyvlm::NameOf(tinyvlm::ChosenArmInt8());
  for (const ArmInt8 instructions : {ArmInt8::kNeon, ArmInt8::kDotProd, ArmInt8::kI8mm}) {
    if (wanted != tinyvlm::NameOf(instructions)) continue;
    tinyvlm::LimitArmInt8(instructions);
    if (tinyvlm::ChosenArmInt8() == instructions) return;
  }
  Missing("the int8 instructions " + wanted, best);
}
#endif

class Dispatch : public Catch::EventListenerBase {
 public:
  using Catch::EventListenerBase::EventListenerBase;

  void testRunStarting(const Catch::TestRunInfo&) override {
    if (const std::string wanted = Wanted("TINYVLM_TEST_TARGET"); !wanted.empty())
      ForceTarget(wanted);
    std::string int8;
    const std::string wanted_int8 = Wanted("TINYVLM_TEST_ARM_INT8");
#if TINYVLM_CHOOSES_ARM_INT8
    if (!wanted_int8.empty()) ForceArmInt8(wanted_int8);
    int8 = std::string(", int8 ") + tinyvlm::NameOf(tinyvlm::ChosenArmInt8());
#else
    if (!wanted_int8.empty()) Missing("the int8 instructions " + wanted_int8, "none of Arm's");
#endif
    std::printf("kernels: %s%s\n", TargetNames().c_str(), int8.c_str());
  }
};
CATCH_REGISTER_LISTENER(Dispatch)

}  // namespace
