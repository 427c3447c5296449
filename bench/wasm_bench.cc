// `tiny-vlm bench` in a wasm build, for Node: the tools module that ships has no room for it.
#include <cstdio>

#include "cli/commands.h"

int main(int argc, char** argv) {
  const tinyvlm::Status status = tinyvlm::RunBench(tinyvlm::Arguments(argv + 1, argv + argc));
  if (!status.ok())
    std::fprintf(stderr, "tinyvlm-bench: %s: %s\n", tinyvlm::ErrorCodeName(status.code()),
                 status.message().c_str());
  return static_cast<int>(status.code());
}
