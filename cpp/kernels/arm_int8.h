// The int8 instructions of an Arm processor, for which Highway has no targets of their own: int8
// dot products (Armv8.4, and many of Armv8.2: Cortex-A55 and A76 on, Apple A13 on), int8 matrix
// products (Armv8.6, and many before: Cortex-A510 and A710 on, Apple A15 on). GemmI8 is compiled
// for each (gemm_i8_arm-inl.h) and chooses while it runs; results do not depend on it.
#ifndef TINYVLM_KERNELS_ARM_INT8_H_
#define TINYVLM_KERNELS_ARM_INT8_H_

#include "hwy/detect_compiler_arch.h"

// 1 where they can be compiled, and the system tells whether the processor has them. Clang 17 is
// the first that Highway trusts with target attributes on Arm.
#if HWY_ARCH_ARM_A64 && (HWY_OS_LINUX || HWY_OS_APPLE) && \
    (HWY_COMPILER_CLANG >= 1700 || HWY_COMPILER_GCC_ACTUAL >= 1000)
#define TINYVLM_CHOOSES_ARM_INT8 1
#else
#define TINYVLM_CHOOSES_ARM_INT8 0
#endif

namespace tinyvlm {

// In this order: each has those before it, too.
enum class ArmInt8 {
  kNeon,     // neither: int16 products
  kDotProd,  // sdot: sums of four products
  kI8mm,     // smmla: two rows by two outputs, sums of eight products
};

#if TINYVLM_CHOOSES_ARM_INT8

// What GemmI8 uses: the last that the processor has.
ArmInt8 ChosenArmInt8();

// Makes GemmI8 use no more than `most`. For tests and benchmarks: not while a kernel runs, nor
// between GemmI8ScratchBytes and the call that uses the memory.
void LimitArmInt8(ArmInt8 most);

// As it stands in reports: "NEON", "dotprod", "i8mm".
const char* NameOf(ArmInt8 instructions);

#endif

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_ARM_INT8_H_
