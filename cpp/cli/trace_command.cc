#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/threads_flag.h"
#include "engine/model_file.h"
#include "engine/trace.h"

namespace tinyvlm {

Status RunTrace(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments,
                                                        {"--case", "-o", "--output", "--greedy",
                                                         "--compute", "--variant", "--threads"},
                                                        {}, 1, 1));
  TraceOptions options;
  options.case_path = flags.Get("--case", "");
  options.output_path = flags.Get("-o", flags.Get("--output", ""));
  if (options.case_path.empty() || options.output_path.empty())
    return Error(ErrorCode::kInvalidArgument, "--case FILE and -o FILE wanted; see --help");
  TVLM_ASSIGN_OR_RETURN(const int64_t greedy, flags.GetInt("--greedy", 0, 0, 1'000'000));
  options.greedy = static_cast<size_t>(greedy);
  TVLM_ASSIGN_OR_RETURN(options.compute, ParseCompute(flags.Get("--compute", "f32")));
  TVLM_ASSIGN_OR_RETURN(const int64_t threads, ThreadsFlag(flags));
  TVLM_ASSIGN_OR_RETURN(
      const std::shared_ptr<Model> model,
      LoadModel(flags.positional()[0], static_cast<size_t>(threads), ModelUse::kIds));
  return Trace(*model, options);
}

}  // namespace tinyvlm
