#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/warnings.h"
#include "convert/convert.h"
#include "convert/repack.h"

namespace tinyvlm {

namespace {

// Shows on stderr how far a conversion is: on a terminal one line that is rewritten, elsewhere (a
// log) a line now and then.
class ProgressLine {
 public:
  void Show(uint64_t done, uint64_t total) {
    total_ = total;
    const double now = NowMs(), since = now - shown_;
    if (done == 0 || done == total || since < (live_ ? 200 : 10'000)) return;
    shown_ = now;
    const double left =
        (now - start_) * static_cast<double>(total - done) / static_cast<double>(done) / 1000;
    std::fprintf(stderr, "%s%.1f of %.1f MB, %s left%s", live_ ? "\r\x1b[K" : "", Megabytes(done),
                 Megabytes(total), Duration(left).c_str(), live_ ? "" : "\n");
    open_ = live_;
  }

  // Erases the line that is being rewritten, if any.
  void Close() {
    if (open_) std::fprintf(stderr, "\r\x1b[K");
    open_ = false;
  }

  void Finish(const std::string& output) {
    Close();
    std::fprintf(stderr, "%s: %.1f MB of weights in %s\n", output.c_str(), Megabytes(total_),
                 Duration((NowMs() - start_) / 1000).c_str());
  }

 private:
  static double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

  static std::string Duration(double seconds) {
    if (seconds < 10) return Format("%.1f s", seconds);
    if (seconds < 100) return Format("%.0f s", seconds);
    const int whole = static_cast<int>(seconds);
    return Format("%d min %d s", whole / 60, whole % 60);
  }

  const bool live_ = isatty(STDERR_FILENO) != 0;
  const double start_ = NowMs();
  double shown_ = start_;
  uint64_t total_ = 0;
  bool open_ = false;
};

#if !defined(__EMSCRIPTEN__)
// While it exists, a signal that ends the program first removes the unfinished file of `output`.
// Not under Node, where a signal ends the process at once: a .partial file without a header
// remains.
class PartialFileGuard {
 public:
  explicit PartialFileGuard(const std::string& output) {
    const std::string partial = FileWriter::PartialPath(output);
    if (partial.size() >= sizeof(path_)) return;
    std::copy(partial.begin(), partial.end(), path_);
    for (size_t i = 0; i < std::size(kSignals); ++i) {
      previous_[i] = std::signal(kSignals[i], &RemoveAndEnd);
      // The parent process may have chosen that the signal is ignored (nohup).
      if (previous_[i] == SIG_IGN) std::signal(kSignals[i], SIG_IGN);
    }
    installed_ = true;
  }

  ~PartialFileGuard() {
    for (size_t i = 0; installed_ && i < std::size(kSignals); ++i)
      std::signal(kSignals[i], previous_[i]);
  }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

  static void RemoveAndEnd(int signal) {
    unlink(path_);
    std::signal(signal, SIG_DFL);
    raise(signal);
  }

  static inline char path_[4096] = {};  // a handler sees only what is static
  void (*previous_[std::size(kSignals)])(int) = {};
  bool installed_ = false;
};
#endif

// Repacking a model file changes its packing only: rejects flags of a conversion.
Status CheckRepackFlags(const Flags& flags) {
  for (const char* const name : {"--type", "--vision-type", "--embedding-type", "--image-size",
                                 "--resize", "--chat-style", "--no-tokenizer"}) {
    if (flags.Has(name))
      return Error(ErrorCode::kInvalidArgument,
                   "%s: only --packing wanted for a model file; convert its checkpoint instead",
                   name);
  }
  return Status();
}

}  // namespace

Status RunConvert(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(
      const Flags flags,
      Flags::Parse(arguments,
                   {"-o", "--output", "--type", "--vision-type", "--embedding-type", "--image-size",
                    "--resize", "--chat-style", "--packing", "--variant", "--threads"},
                   {"--no-tokenizer"}, 1, 1));
  ConvertOptions options;
  options.checkpoint = flags.positional()[0];
  options.output = flags.Get("-o", flags.Get("--output", ""));
  if (options.output.empty())
    return Error(ErrorCode::kInvalidArgument, "-o FILE wanted: where the model file goes");
  TVLM_ASSIGN_OR_RETURN(options.type, ParseConvertType(flags.Get("--type", "q8_0")));
  if (flags.Has("--vision-type")) {
    TVLM_ASSIGN_OR_RETURN(options.vision_type, ParseConvertType(flags.Get("--vision-type", "")));
  }
  if (flags.Has("--embedding-type")) {
    TVLM_ASSIGN_OR_RETURN(options.embedding_type,
                          ParseConvertType(flags.Get("--embedding-type", "")));
  }
  TVLM_ASSIGN_OR_RETURN(const int64_t image_size, flags.GetInt("--image-size", 0, 64, 4096));
  options.image_size = static_cast<uint32_t>(image_size);
  options.resize = flags.Get("--resize", "");
  options.tokenizer = !flags.Has("--no-tokenizer");
  if (flags.Has("--chat-style")) {
    TVLM_ASSIGN_OR_RETURN(options.chat_style, ParseChatStyle(flags.Get("--chat-style", "")));
  }
  const Result<Packing> packing = ParsePacking(flags.Get("--packing", "none"));
  if (!packing.ok())
    return Status(packing.status().code(), "--packing: " + packing.status().message());
  options.packing = *packing;

  options.warn = &PrintWarning;

#if !defined(__EMSCRIPTEN__)
  const PartialFileGuard guard(options.output);
#endif
  ProgressLine line;
  const ConvertProgress show = [&line](uint64_t done, uint64_t total) { line.Show(done, total); };
  const bool repack = options.packing == Packing::kPanel16 && IsFile(options.checkpoint);
  if (repack) TVLM_RETURN_IF_ERROR(CheckRepackFlags(flags));
  const Status status =
      repack ? Repack(options.checkpoint, options.output, show) : Convert(options, show);
  line.Close();
  if (status.ok()) line.Finish(options.output);
  return status;
}

}  // namespace tinyvlm
