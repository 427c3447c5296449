#include "base/option_reader.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <optional>

#include "base/nearest.h"

namespace tinyvlm {

Status CheckKeys(const Json::Object& object, const std::vector<std::string_view>& keys,
                 const std::string& where) {
  for (const Json::Member& member : object) {
    const std::string& key = member.first;
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string nearest(Nearest(key, keys));
    const std::string meant = nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
    return Error(ErrorCode::kInvalidArgument, "%s: \"%s\" is not known%s", where.c_str(),
                 key.c_str(), meant.c_str());
  }
  return Status();
}

Result<Json> ParseOptionObject(const char* text, const std::vector<std::string_view>& keys) {
  if (text == nullptr)
    return Error(ErrorCode::kInvalidArgument, "options: a JSON object wanted, null found");
  Result<Json> json = ParseJson(text);
  if (!json.ok())
    return Error(ErrorCode::kInvalidArgument, "options: %s", json.status().message().c_str());
  const Json::Object* object = json->object();
  if (object == nullptr)
    return Error(ErrorCode::kInvalidArgument, "options: a JSON object wanted, %s found",
                 json->KindName());
  TVLM_RETURN_IF_ERROR(CheckKeys(*object, keys, "options"));
  return json;
}

Status OptionReader::operator()(const NumberOption& option, float& field) const {
  if (json_.Find(option.key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(const double number,
                        json_.GetNumber(option.key, ErrorCode::kInvalidArgument));
  // What a float cannot hold becomes infinite, which is out of every range.
  const double limit = std::numeric_limits<double>::infinity();
  field = static_cast<float>(std::abs(number) > FLT_MAX ? std::copysign(limit, number) : number);
  return CheckOption(option, field);
}

Status OptionReader::operator()(const BooleanOption& option, bool& field) const {
  if (json_.Find(option.key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(field, json_.GetBool(option.key, ErrorCode::kInvalidArgument));
  return Status();
}

Status OptionReader::operator()(const StringOption& option, std::string& field) const {
  if (json_.Find(option.key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(field, json_.GetString(option.key, ErrorCode::kInvalidArgument));
  return Status();
}

Status OptionReader::operator()(const StringsOption& option,
                                std::vector<std::string>& field) const {
  const Json* const member = json_.Find(option.key);
  if (member == nullptr) return Status();
  if (member->array() == nullptr)
    return Error(ErrorCode::kInvalidArgument, "%s: an array of strings wanted, %s found",
                 option.key, member->KindName());
  for (const Json& item : *member->array()) {
    if (item.string() == nullptr)
      return Error(ErrorCode::kInvalidArgument, "%s: an array of strings wanted, %s found in it",
                   option.key, item.KindName());
    field.push_back(*item.string());
  }
  return Status();
}

Status OptionReader::operator()(const JsonOption& option, Json& field) const {
  const Json* const member = json_.Find(option.key);
  if (member == nullptr) return Status();
  if (member->is_null())
    return Error(ErrorCode::kInvalidArgument, "%s: a value wanted, null found", option.key);
  field = *member;
  return Status();
}

Result<uint64_t> OptionReader::ReadInteger(const IntegerOption& option) const {
  const Json& member = *json_.Find(option.key);
  const std::optional<double> number = member.number();
  if (!number.has_value())
    return Error(ErrorCode::kInvalidArgument, "%s: a whole number wanted, %s found", option.key,
                 member.KindName());
  const std::optional<uint64_t> value = member.uint64();
  if (!value.has_value()) return IntegerOutOfRange(option, *number);
  TVLM_RETURN_IF_ERROR(CheckOption(option, *value));
  return *value;
}

}  // namespace tinyvlm
