#include "cli/threads_flag.h"

#include "cli/option_flag_table.h"
#include "engine/model_file.h"

namespace tinyvlm {

Result<int64_t> ThreadsFlag(const Flags& flags) {
  return flags.GetInt("--threads", static_cast<int64_t>(DefaultThreads()), 1, kMaxThreads);
}

}  // namespace tinyvlm
