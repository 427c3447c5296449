// --threads, which several commands take.
#ifndef TINYVLM_CLI_THREADS_FLAG_H_
#define TINYVLM_CLI_THREADS_FLAG_H_

#include <cstdint>

#include "base/status.h"
#include "cli/flags.h"

namespace tinyvlm {

// The value of --threads, or as many as DefaultThreads. Errors: invalid_argument.
Result<int64_t> ThreadsFlag(const Flags& flags);

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_THREADS_FLAG_H_
