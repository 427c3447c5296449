#include "cli/flags.h"

#include <algorithm>
#include <cinttypes>
#include <cstdlib>

namespace tinyvlm {

namespace {

// Levenshtein distance: how many letters differ.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

Status UnknownFlag(const std::string& flag, std::initializer_list<std::string_view> values,
                   std::initializer_list<std::string_view> switches) {
  std::string_view nearest;
  size_t distance = 4;  // farther than this is another word, not a slip
  for (const auto& known : {values, switches}) {
    for (const std::string_view name : known) {
      if (EditDistance(flag, name) < distance) nearest = name, distance = EditDistance(flag, name);
    }
  }
  if (nearest.empty())
    return Error(ErrorCode::kInvalidArgument, "unknown flag %s; see --help", flag.c_str());
  return Error(ErrorCode::kInvalidArgument, "unknown flag %s; %.*s is known", flag.c_str(),
               static_cast<int>(nearest.size()), nearest.data());
}

}  // namespace

Result<Flags> Flags::Parse(const std::vector<std::string>& arguments,
                           std::initializer_list<std::string_view> values,
                           std::initializer_list<std::string_view> switches, size_t min_positional,
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

Result<float> Flags::GetFloat(std::string_view flag, float otherwise) const {
  if (!Has(flag)) return otherwise;
  const std::string text = Get(flag, "");
  char* end = nullptr;
  const float value = std::strtof(text.c_str(), &end);
  if (text.empty() || *end != '\0') {
    return Error(ErrorCode::kInvalidArgument, "%.*s: a number wanted, \"%s\" found",
                 static_cast<int>(flag.size()), flag.data(), text.c_str());
  }
  return value;
}

}  // namespace tinyvlm
