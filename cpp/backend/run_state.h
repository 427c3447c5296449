// The state of work that is done in bounded pieces.
#ifndef TINYVLM_BACKEND_RUN_STATE_H_
#define TINYVLM_BACKEND_RUN_STATE_H_

namespace tinyvlm {

enum class RunState {
  kRunning,  // not done: the budget is spent, or (Session) new text is available
  kDone,
  kWaiting,  // the next operation needs weights that have not arrived
  kBusy,     // a device works on it and the host has nothing to do: call again later
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_RUN_STATE_H_
