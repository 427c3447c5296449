#include "cli/option_flags.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "cli/option_flag_table.h"

namespace tinyvlm {

namespace {

// `text` as a JSON number; "" where it is none.
std::string JsonNumber(const std::string& text, FlagKind kind) {
  if (kind == FlagKind::kInteger) {
    const size_t first = text.starts_with('-') ? 1 : 0;
    if (text.size() == first || text.find_first_not_of("0123456789", first) != std::string::npos)
      return "";
    // JSON has no leading zeros.
    const size_t zeros = std::min(text.find_first_not_of('0', first), text.size() - 1) - first;
    std::string number = text;
    number.erase(first, zeros);
    return number;
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return "";
  return Format("%.17g", value);
}

}  // namespace

void AddOptionFlags(std::vector<std::string_view>* values,
                    std::vector<std::string_view>* switches) {
  for (const OptionFlag& option : kOptionFlags)
    (option.kind == FlagKind::kSwitch ? switches : values)->push_back(option.flag);
}

const char* OptionFlagsHelp() { return kOptionFlagsHelp; }

Status WriteOptions(const Flags& flags, OptionScope scope, JsonWriter* json) {
  for (const OptionFlag& option : kOptionFlags) {
    if (option.scope != scope || !flags.Has(option.flag)) continue;
    const std::string text = flags.Get(option.flag, "");
    switch (option.kind) {
      case FlagKind::kInteger:
      case FlagKind::kNumber: {
        const std::string number = JsonNumber(text, option.kind);
        if (number.empty()) {
          return Error(ErrorCode::kInvalidArgument, "%s: a %s wanted, \"%s\" found", option.flag,
                       option.kind == FlagKind::kInteger ? "whole number" : "number", text.c_str());
        }
        json->Json(option.key, number);
        break;
      }
      case FlagKind::kSwitch:
        json->Bool(option.key, true);
        break;
      case FlagKind::kText:
        json->String(option.key, text);
        break;
      case FlagKind::kTexts:
        json->Strings(option.key, flags.GetAll(option.flag));
        break;
    }
  }
  return Status();
}

Status NameFlag(const Status& status) {
  for (const OptionFlag& option : kOptionFlags) {
    const std::string_view key = option.key;
    if (status.message().starts_with(std::string(key) + ":"))
      return Status(status.code(), option.flag + status.message().substr(key.size()));
  }
  return status;
}

}  // namespace tinyvlm
