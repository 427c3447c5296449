// Test data that is not part of the repository: the folder named by TINYVLM_SHARED, or ../shared
// beside the repository.
#ifndef TINYVLM_TESTS_SHARED_DATA_H_
#define TINYVLM_TESTS_SHARED_DATA_H_

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "catch_amalgamated.hpp"

// The path of a file or folder in it, or nothing where it is absent: the caller then skips, saying
// what is missing. With REQUIRE_SHARED=1 in the environment its absence fails the test instead.
// Use:
//   const auto path = SharedPath("goldens/t0-hf");
//   if (!path) SKIP("shared data is absent");
inline std::optional<std::filesystem::path> SharedPath(const std::string& relative) {
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
  return std::nullopt;
}

#endif  // TINYVLM_TESTS_SHARED_DATA_H_
