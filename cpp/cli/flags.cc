#include "cli/flags.h"

#include <algorithm>
#include <cinttypes>
#include <cstdlib>

#include "base/nearest.h"

namespace tinyvlm {

namespace {

Status UnknownFlag(const std::string& flag, const std::vector<std::string_view>& values,
                   const std::vector<std::string_view>& switches) {
  std::vector<std::string_view> known = values;
  known.insert(known.end(), switches.begin(), switches.end());
  const std::string_view nearest = Nearest(flag, known);
  if (nearest.empty())
    return Error(ErrorCode::kInvalidArgument, "unknown flag %s; see --help", flag.c_str());
  return Error(ErrorCode::kInvalidArgument, "unknown flag %s; did you mean %.*s?", flag.c_str(),
               static_cast<int>(nearest.size()), nearest.data());
}

}  // namespace

Result<Flags> Flags::Parse(const std::vector<std::string>& arguments,
                           const std::vector<std::string_view>& values,
                           const std::vector<std::string_view>& switches, size_t min_positional,
                           size_t max_positional) {
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-') {
      flags.positional_.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (std::find(switches.begin(), switches.end(), name) != switches.end() &&
        equals == std::string::npos) {
      flags.values_[name].emplace_back();
    } else if (std::find(values.begin(), values.end(), name) != values.end()) {
      if (equals == std::string::npos && i + 1 == arguments.size())
        return Error(ErrorCode::kInvalidArgument, "%s wants a value", name.c_str());
      flags.values_[name].push_back(equals == std::string::npos ? arguments[++i]
                                                                : argument.substr(equals + 1));
    } else {
      return UnknownFlag(argument, values, switches);
    }
  }
  if (flags.positional_.size() < min_positional || flags.positional_.size() > max_positional) {
    return Error(ErrorCode::kInvalidArgument, "%zu arguments wanted, %zu found; see --help",
                 flags.positional_.size() < min_positional ? min_positional : max_positional,
                 flags.positional_.size());
  }
  return flags;
}

std::string Flags::Get(std::string_view flag, std::string_view otherwise) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Flags::GetAll(std::string_view flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<int64_t> Flags::GetInt(std::string_view flag, int64_t otherwise, int64_t min,
                              int64_t max) const {
  if (!Has(flag)) return otherwise;
  const std::string text = Get(flag, "");
  char* end = nullptr;
  const int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < min || value > max) {
    return Error(ErrorCode::kInvalidArgument,
                 "%.*s: a whole number of %" PRId64 "..%" PRId64 " wanted, \"%s\" found",
                 static_cast<int>(flag.size()), flag.data(), min, max, text.c_str());
  }
  return value;
}

}  // namespace tinyvlm
