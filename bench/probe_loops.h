// Loops with the block structure of the matrix kernels but without their memory traffic: what the
// kernels could reach. Dispatched as the kernels are (HWY_DYNAMIC_DISPATCH), so that a probe and
// its kernel run the same target. On Arm the int8 loops are those of plain NEON, whatever GemmI8
// chooses (kernels/arm_int8.h).
#ifndef TINYVLM_BENCH_PROBE_LOOPS_H_
#define TINYVLM_BENCH_PROBE_LOOPS_H_

#include <cstddef>
#include <cstdint>

#include "kernels/relaxed_dots.h"

namespace tinyvlm {

enum class ProbeLoop {
  // The multiply-adds of the kernel's tile with half of the factors in registers: what the
  // instruction itself allows.
  kF32Instructions,
  kQ8Instructions,  // integer products of Q8_0 and Q4_0 weights (kernels/block_dot-inl.h)
  kQ4Instructions,
  // The kernel's own inner function with all operands in the first-level cache.
  kF32Tile,  // GemmF32, many rows
  kQ8Tile,   // GemmI8, many rows, panels unpacked already
  kQ4Tile,
  kF32Row,  // GemmF32, one row
  kQ8Row,   // GemmI8, one row, Q8_0
  kQ4Row,   // GemmI8, one row, Q4_0
};

// Bytes of operands that any of the loops reads, and of results that it adds to.
inline constexpr size_t kProbeOperandBytes = 32 * 1024;
inline constexpr size_t kProbeResultFloats = 16 * 16;

// Goes through the loop `turns` times and returns the multiply-adds done. `operands` are zeros (a
// block's scale among them), aligned to 64 bytes; the instructions take the same time for zeros as
// for any other numbers.
uint64_t RunProbeLoop(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results,
                      RelaxedDot relaxed_dot);

// Reads `bytes` bytes (a multiple of 1024) at `from` once, with vector loads, and returns what they
// add up to.
uint32_t ReadMemory(const uint8_t* from, size_t bytes);

}  // namespace tinyvlm

#endif  // TINYVLM_BENCH_PROBE_LOOPS_H_
