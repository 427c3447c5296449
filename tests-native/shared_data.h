// Where tests find their data. This project's own reference data is in the repository
// (tests-native/goldens). Public test suites of others, and what is too large to commit, are not:
// the environment variable TINYVLM_SHARED names the folder that holds them, by default ../shared
// beside the repository. tests-native/README.md lists what belongs there.
#ifndef TINYVLM_TESTS_SHARED_DATA_H_
#define TINYVLM_TESTS_SHARED_DATA_H_

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "catch_amalgamated.hpp"

// The path of a file or folder of the shared data. Where it does not exist, the running test case
// ends here: as skipped, naming what is missing, or as failed where the environment variable
// REQUIRE_SHARED is 1. scripts/test.mjs collects the printed lines.
inline std::filesystem::path SharedPath(const std::string& relative) {
  const char* const folder = std::getenv("TINYVLM_SHARED");
  const std::filesystem::path root =
      folder != nullptr && *folder != '\0'
          ? std::filesystem::path(folder)
          : std::filesystem::path(TINYVLM_SOURCE_DIR) / ".." / "shared";
  const std::filesystem::path path = (root / relative).lexically_normal();
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  const char* const require = std::getenv("REQUIRE_SHARED");
  if (require != nullptr && std::strcmp(require, "1") == 0)
    FAIL("REQUIRE_SHARED is set and " << path.string() << " does not exist");
  std::printf("missing test data: %s\n", relative.c_str());
  SKIP("missing test data: " << relative);
  return path;
}

// The path of reference data: tests-native/goldens/<relative>, else goldens/<relative> of the
// shared data, where the large ones are.
inline std::filesystem::path GoldenPath(const std::string& relative) {
  const std::filesystem::path path =
      std::filesystem::path(TINYVLM_SOURCE_DIR) / "tests-native" / "goldens" / relative;
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  return SharedPath("goldens/" + relative);
}

#endif  // TINYVLM_TESTS_SHARED_DATA_H_
