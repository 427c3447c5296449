// Command-line flags: "--name value", "--name=value", "--switch" and positional arguments.
// Undeclared flags are rejected.
#ifndef TINYVLM_CLI_FLAGS_H_
#define TINYVLM_CLI_FLAGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

class Flags {
 public:
  // Parses the arguments after the command's name. `values` are flags that take a value, `switches`
  // those that take none, all with their dashes. min_positional to max_positional positional
  // arguments are required. Errors: invalid_argument, naming the flag and the most similar known
  // one.
  static Result<Flags> Parse(const std::vector<std::string>& arguments,
                             const std::vector<std::string_view>& values,
                             const std::vector<std::string_view>& switches, size_t min_positional,
                             size_t max_positional);

  const std::vector<std::string>& positional() const { return positional_; }
  bool Has(std::string_view flag) const { return values_.find(flag) != values_.end(); }

  // The last value given, or the default.
  std::string Get(std::string_view flag, std::string_view otherwise) const;

  // Every value given, in order.
  std::vector<std::string> GetAll(std::string_view flag) const;

  // The value as a number in [min, max], or the default. Errors: invalid_argument.
  Result<int64_t> GetInt(std::string_view flag, int64_t otherwise, int64_t min, int64_t max) const;

 private:
  std::vector<std::string> positional_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_FLAGS_H_
