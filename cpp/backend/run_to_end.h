// Running an encoder or a decoder to its end, without a time budget.
#ifndef TINYVLM_BACKEND_RUN_TO_END_H_
#define TINYVLM_BACKEND_RUN_TO_END_H_

#include <limits>

#include "backend/run_state.h"
#include "base/status.h"

namespace tinyvlm {

// Advances `work` (a VisionEncoder or a Decoder) until it is done; polls a busy device. Errors:
// not_ready where weights are missing, and those of the work.
template <class Work>
Status RunToEnd(Work& work) {
  for (;;) {
    TVLM_ASSIGN_OR_RETURN(const RunState state,
                          work.Advance(std::numeric_limits<double>::infinity()));
    if (state == RunState::kDone) return Status();
    if (state == RunState::kWaiting)
      return Error(ErrorCode::kNotReady, "the model's weights have not all arrived");
  }
}

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_RUN_TO_END_H_
