// The command line: natively all commands; as the wasm `tools` module, which Node runs, those that
// work on files (`ask` goes through the SDK there).
#include <cstdio>
#include <cstring>

#include "api/guard.h"
#include "cli/commands.h"
#include "cli/option_flags.h"

#ifdef __wasm_relaxed_simd__
#include "api/self_test.h"
#endif

namespace {

struct Command {
  const char* name;
  tinyvlm::Status (*run)(const tinyvlm::Arguments&);
  const char* help;
  const char* (*options_help)() = nullptr;  // more help: about each flag that is an option
};

constexpr Command kCommands[] = {
#if !defined(__EMSCRIPTEN__)
    {"ask", &tinyvlm::RunAsk,
     "ask <image> <question> --model FILE   answers about an image (\"none\": no image)\n"
     "    [--image FILE]... [--then QUESTION]... [--json]\n"
     "    [--schema FILE | --choices A,B,... | --pattern REGEX]: what the answer must be: JSON\n"
     "    that validates against a schema, one of some texts, or a text that matches\n",
     &tinyvlm::OptionFlagsHelp},
    {"bench", &tinyvlm::RunBench,
     "bench <model>   measures the engine's phases: medians of rounds, and where the time goes\n"
     "    [--work vision,prefill-N,decode-N,constrain,constrained-N,load,ready] [--image-size N] "
     "[--prefix TOKENS] [--rounds N] "
     "[--compute fast|f32] [--profile] [--json] [--threads N]\n"},
#endif
    {"convert", &tinyvlm::RunConvert,
     "convert <checkpoint folder> -o FILE [--type f32|f16|bf16|q8_0|q5_0|q4_0]   makes a model "
     "file\n"
     "convert <model file> -o FILE --packing panel16   packs a model file for mapping\n"
     "    [--vision-type TYPE] [--embedding-type TYPE] [--image-size N] [--resize pad|crop] "
     "[--chat-style qwen_2|v1|plain] [--packing none|panel16]\n"
     "    [--no-tokenizer]\n"},
    {"fidelity", &tinyvlm::RunFidelity,
     "fidelity <f32 model> <other model>   measures how far a model file strays from the same "
     "checkpoint in f32\n"
     "    [--cases FOLDER | --questions FILE | --random N] [--seed N] [--steps N] [--compute "
     "fast|f32] [--json] [--threads N]\n"},
    {"inspect", &tinyvlm::RunInspect,
     "inspect <file> [--verify]   shows keys, tensors, sizes and a memory estimate of a model "
     "file; "
     "--verify checks every hash\n"},
    {"trace", &tinyvlm::RunTrace,
     "trace <file> --case FILE -o FILE [--greedy N] [--compute f32|fast] [--threads N]   writes "
     "every stage of a model for a given input\n"},
};

void PrintHelp(std::FILE* to) {
  std::fprintf(to, "tiny-vlm <command> ...\n\n");
  for (const Command& command : kCommands) std::fprintf(to, "  %s", command.help);
  std::fprintf(to, "\ntiny-vlm <command> --help says more about a command.\n");
}

int Fail(const tinyvlm::Status& status) {
  std::fprintf(stderr, "tiny-vlm: %s: %s\n", tinyvlm::ErrorCodeName(status.code()),
               status.message().c_str());
  return static_cast<int>(status.code());
}

int Run(int argc, char** argv) {
#ifdef __wasm_relaxed_simd__
  // The SDK tests its engine and falls back to another build; here the build was chosen, so a
  // failure is an error. Only the instructions are tested: the reference code of the whole
  // self-test would add to the size of the module.
  if (const tinyvlm::Status status = tinyvlm::TestRelaxedDots(); !status.ok()) return Fail(status);
#endif
  if (argc < 2 || std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0) {
    PrintHelp(argc < 2 ? stderr : stdout);
    return argc < 2 ? static_cast<int>(tinyvlm::ErrorCode::kInvalidArgument) : 0;
  }
  const tinyvlm::Arguments arguments(argv + 2, argv + argc);
  for (const Command& command : kCommands) {
    if (std::strcmp(argv[1], command.name) != 0) continue;
    for (const std::string& argument : arguments) {
      if (argument != "--help" && argument != "-h") continue;
      std::printf("tiny-vlm %s", command.help);
      if (command.options_help != nullptr) std::printf("%s", command.options_help());
      return 0;
    }
    const tinyvlm::Status status = command.run(arguments);
    return status.ok() ? 0 : Fail(status);
  }
  std::fprintf(stderr, "tiny-vlm: invalid_argument: unknown command \"%s\"; see tiny-vlm --help\n",
               argv[1]);
  return static_cast<int>(tinyvlm::ErrorCode::kInvalidArgument);
}

}  // namespace

int main(int argc, char** argv) {
  return tinyvlm::Guarded([&] { return Run(argc, argv); },
                          [] {
                            std::fputs("tiny-vlm: out_of_memory: not enough memory\n", stderr);
                            return static_cast<int>(tinyvlm::ErrorCode::kOutOfMemory);
                          });
}
