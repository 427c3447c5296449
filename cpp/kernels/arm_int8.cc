#include "kernels/arm_int8.h"

#if TINYVLM_CHOOSES_ARM_INT8

#include <algorithm>
#include <atomic>

#if HWY_OS_APPLE
#include <sys/sysctl.h>
#else
#include <sys/auxv.h>
#endif

namespace tinyvlm {
namespace {

#if HWY_OS_APPLE

bool Has(const char* feature) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}
bool HasDotProd() { return Has("hw.optional.arm.FEAT_DotProd"); }
bool HasI8mm() { return Has("hw.optional.arm.FEAT_I8MM"); }

#else

// Bits of Linux's interface, Android's too; older headers do not name them. A kernel reports what
// every core of the machine has.
constexpr unsigned long kHwcapDotProd = 1ul << 20;  // HWCAP_ASIMDDP
constexpr unsigned long kHwcap2I8mm = 1ul << 13;    // HWCAP2_I8MM

bool HasDotProd() { return (getauxval(AT_HWCAP) & kHwcapDotProd) != 0; }
bool HasI8mm() { return (getauxval(AT_HWCAP2) & kHwcap2I8mm) != 0; }

#endif

ArmInt8 OfProcessor() {
  if (!HasDotProd()) return ArmInt8::kNeon;
  return HasI8mm() ? ArmInt8::kI8mm : ArmInt8::kDotProd;
}

std::atomic<ArmInt8> limit{ArmInt8::kI8mm};

}  // namespace

ArmInt8 ChosenArmInt8() {
  static const ArmInt8 found = OfProcessor();
  return std::min(found, limit.load(std::memory_order_relaxed));
}

void LimitArmInt8(ArmInt8 most) { limit.store(most, std::memory_order_relaxed); }

const char* NameOf(ArmInt8 instructions) {
  switch (instructions) {
    case ArmInt8::kNeon:
      return "NEON";
    case ArmInt8::kDotProd:
      return "dotprod";
    case ArmInt8::kI8mm:
      return "i8mm";
  }
  return "";
}

}  // namespace tinyvlm

#endif
