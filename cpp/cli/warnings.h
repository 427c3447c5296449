// How the commands show warnings.
#ifndef TINYVLM_CLI_WARNINGS_H_
#define TINYVLM_CLI_WARNINGS_H_

#include <cstdio>
#include <string>

namespace tinyvlm {

// A line on stderr: the work goes on.
inline void PrintWarning(const std::string& sentence) {
  std::fprintf(stderr, "tiny-vlm: warning: %s\n", sentence.c_str());
}

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_WARNINGS_H_
