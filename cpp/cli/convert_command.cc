#include <unistd.h>

#include <cstdio>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "convert/convert.h"

namespace tinyvlm {

Status RunConvert(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {"-o", "--output", "--type", "--chat-style", "--variant", "--threads"}, {"--no-tokenizer"}, 1, 1));
  ConvertOptions options;
  options.checkpoint = flags.positional()[0];
  options.output = flags.Get("-o", flags.Get("--output", ""));
  if (options.output.empty()) return Error(ErrorCode::kInvalidArgument, "-o FILE wanted: where the model file goes");
  TVLM_ASSIGN_OR_RETURN(options.type, ParseConvertType(flags.Get("--type", "q8_0")));
  options.tokenizer = !flags.Has("--no-tokenizer");
  if (flags.Has("--chat-style")) {
    const Result<ChatStyle> style = ParseChatStyle(flags.Get("--chat-style", ""));
    if (!style.ok()) return Error(ErrorCode::kInvalidArgument, "--chat-style: %s", style.status().message().c_str());
    options.chat_style = *style;
  }

  const bool live = isatty(STDERR_FILENO) != 0;
  const double start = NowMs();
  double shown = start;
  uint64_t bytes = 0;
  TVLM_RETURN_IF_ERROR(Convert(options, [&](uint64_t done, uint64_t total) {
    bytes = total;
    const double now = NowMs();
    if (!live || done == 0 || now - shown < 200) return;
    shown = now;
    const double left = (now - start) * static_cast<double>(total - done) / static_cast<double>(done) / 1000;
    std::fprintf(stderr, "\r%.1f of %.1f MB, %.0f s left ", static_cast<double>(done) / 1e6, static_cast<double>(total) / 1e6, left);
  }));
  std::fprintf(stderr, "%s%s: %.1f MB of weights in %.1f s\n", live ? "\r" : "", options.output.c_str(), static_cast<double>(bytes) / 1e6, (NowMs() - start) / 1000);
  return Status();
}

}  // namespace tinyvlm
