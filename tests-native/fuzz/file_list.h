// Several small files as one input: "name\nlength\ncontent" one behind the other.
#ifndef TINYVLM_TESTS_FUZZ_FILE_LIST_H_
#define TINYVLM_TESTS_FUZZ_FILE_LIST_H_

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tinyvlm {

inline std::map<std::string, std::string> ReadFileList(std::string_view bytes) {
  std::map<std::string, std::string> files;
  while (!bytes.empty()) {
    const size_t name = std::min(bytes.find('\n'), bytes.size() - 1);
    const size_t digits = std::min(bytes.find('\n', name + 1), bytes.size() - 1);
    const std::string number(bytes.substr(name + 1, std::min<size_t>(digits - name, 12)));
    const size_t length =
        std::min<size_t>(std::strtoull(number.c_str(), nullptr, 10), bytes.size() - digits - 1);
    files[std::string(bytes.substr(0, name))] = bytes.substr(digits + 1, length);
    bytes.remove_prefix(digits + 1 + length);
  }
  return files;
}

inline std::string WriteFileList(const std::map<std::string, std::string>& files) {
  std::string out;
  for (const auto& [name, content] : files)
    out += name + Format("\n%zu\n", content.size()) + content;
  return out;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_FILE_LIST_H_
