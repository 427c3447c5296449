// Where work stands that is done a bounded piece at a time.
#ifndef TINYVLM_BACKEND_RUN_STATE_H_
#define TINYVLM_BACKEND_RUN_STATE_H_

namespace tinyvlm {

enum class RunState {
  kRunning,  // the budget is spent, there is more to do
  kDone,
  kWaiting,  // the next operation needs weights that have not arrived
  kBusy,     // a device works on it: call again when it has had time, there is nothing to do here
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_RUN_STATE_H_
