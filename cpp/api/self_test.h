// Numeric self-test: some JavaScript engines compute SIMD or relaxed SIMD instructions wrongly, so
// a wasm build is used only after it has passed this test.
#ifndef TINYVLM_API_SELF_TEST_H_
#define TINYVLM_API_SELF_TEST_H_

#include "base/status.h"

namespace tinyvlm {

// Compares each kind of matrix product with its plain reference on small operands; in relaxed
// builds runs TestRelaxedDots before. kInternal names the first that differs. Takes a few
// milliseconds in wasm, nearly all of it compiling what it calls.
Status SelfTest();

#ifdef __wasm_relaxed_simd__
// Tests the two relaxed dot products at the extremes of their operands.
Status TestRelaxedDots();
#endif

}  // namespace tinyvlm

#endif  // TINYVLM_API_SELF_TEST_H_
