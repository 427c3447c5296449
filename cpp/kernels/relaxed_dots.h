// Which of the relaxed dots of bytes a machine is quick at. Builds with relaxed SIMD only.
#ifndef TINYVLM_KERNELS_RELAXED_DOTS_H_
#define TINYVLM_KERNELS_RELAXED_DOTS_H_

#ifdef __wasm_relaxed_simd__

namespace tinyvlm {

// Whether i32x4.relaxed_dot_i8x16_i7x16_add is one instruction here (vpdpbusd, vpdpbssd, sdot), and
// with it the quicker of the two dots. Elsewhere it is made of the other one (pmaddubsw; smull and
// addp) and two or three more. Found out by what no kernel ever does: factors outside of what the
// dots are defined for, whose results tell the instructions apart; no clock is involved.
//
// The answer may change once, from false to true: V8's first tier has no sdot, its second one has.
// Results do not depend on it.
bool HasFastDotAdd();

// Makes HasFastDotAdd() say `fast` while it lives: both kinds of kernels are right on every
// machine. One at a time.
class FastDotAddForTest {
 public:
  explicit FastDotAddForTest(bool fast);
  ~FastDotAddForTest();
  FastDotAddForTest(const FastDotAddForTest&) = delete;
  FastDotAddForTest& operator=(const FastDotAddForTest&) = delete;
};

}  // namespace tinyvlm

#endif

#endif  // TINYVLM_KERNELS_RELAXED_DOTS_H_
