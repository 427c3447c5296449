// An answer brought to its end.
#ifndef TINYVLM_TESTS_GOLDEN_FINISH_ANSWER_H_
#define TINYVLM_TESTS_GOLDEN_FINISH_ANSWER_H_

#include "catch_amalgamated.hpp"
#include "engine/session.h"

namespace tinyvlm {

// Asks and works until the answer is complete; fails the test with the engine's own sentence.
inline void AskAndFinish(Session& session, const AskOptions& ask) {
  const Status asked = session.Ask(ask);
  INFO(asked.message());
  REQUIRE(asked.ok());
  RunState state = RunState::kRunning;
  while (state == RunState::kRunning) {
    const auto advanced = session.Advance(1000);
    REQUIRE(advanced.ok());
    state = *advanced;
  }
  REQUIRE(state == RunState::kDone);
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_GOLDEN_FINISH_ANSWER_H_
