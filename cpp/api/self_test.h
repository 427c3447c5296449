// Numeric self-test: some engines run SIMD or relaxed-SIMD instructions wrongly, so a build is
// believed only after it has computed.
#ifndef TINYVLM_API_SELF_TEST_H_
#define TINYVLM_API_SELF_TEST_H_

#include "base/status.h"

namespace tinyvlm {

// Runs each kind of matrix product on small operands against its plain reference, in relaxed builds
// before that the relaxed dot itself at its extremes: kInternal names the first that differs. Takes
// a few milliseconds in wasm, nearly all of it compiling what it calls.
Status SelfTest();

#ifdef __wasm_relaxed_simd__
// Its first part: the relaxed dots at their extremes.
Status TestRelaxedDots();
#endif

}  // namespace tinyvlm

#endif  // TINYVLM_API_SELF_TEST_H_
