#include "api/request.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/nearest.h"
#include "base/option.h"

namespace tinyvlm {

namespace {

// An error behind the word `where` for the first key that is not one of `keys`.
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

// A JSON object whose keys are all among `keys`.
Result<Json> ParseObject(const char* text, const std::vector<std::string_view>& keys) {
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

// A visitor of options that collects their keys.
struct KeyCollector {
  template <typename Option, typename Field>
  Status operator()(const Option& option, const Field&) {
    keys.push_back(option.key);
    return Status();
  }

  std::vector<std::string_view> keys;
};

// A visitor of options that takes their values from JSON. A key that is missing leaves its field.
class OptionReader {
 public:
  explicit OptionReader(const Json& json) : json_(json) {}

  Status operator()(const NumberOption& option, float& field) const {
    if (json_.Find(option.key) == nullptr) return Status();
    TVLM_ASSIGN_OR_RETURN(const double number,
                          json_.GetNumber(option.key, ErrorCode::kInvalidArgument));
    // What a float cannot hold becomes infinite, which is out of every range.
    const double limit = std::numeric_limits<double>::infinity();
    field = static_cast<float>(std::abs(number) > FLT_MAX ? std::copysign(limit, number) : number);
    return CheckOption(option, field);
  }

  template <typename Integer>
  Status operator()(const IntegerOption& option, Integer& field) const {
    if (json_.Find(option.key) == nullptr) return Status();
    TVLM_ASSIGN_OR_RETURN(const uint64_t value, ReadInteger(option));
    field = static_cast<Integer>(value);
    return Status();
  }

  // The field is a T or a std::optional<T>.
  template <typename T, typename Field>
  Status operator()(const ChoiceOption<T>& option, Field& field) const {
    if (json_.Find(option.key) == nullptr) return Status();
    TVLM_ASSIGN_OR_RETURN(const std::string word,
                          json_.GetString(option.key, ErrorCode::kInvalidArgument));
    const Result<T> parsed = option.parse(word);
    if (!parsed.ok()) {
      return Error(ErrorCode::kInvalidArgument, "%s: %s wanted, \"%s\" found", option.key,
                   option.wanted, word.c_str());
    }
    field = *parsed;
    return Status();
  }

  Status operator()(const StringsOption& option, std::vector<std::string>& field) const {
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

 private:
  Result<uint64_t> ReadInteger(const IntegerOption& option) const {
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

  const Json& json_;
};

// Reads `options`, structs that VisitOptions knows, from a JSON object that may have the keys
// `others` beside theirs; returns the object.
template <typename... Options>
Result<Json> ReadOptions(const char* text, std::vector<std::string_view> others,
                         Options&... options) {
  KeyCollector known{std::move(others)};
  Status status;
  (void)((status = VisitOptions(options, known), status.ok()) && ...);
  TVLM_ASSIGN_OR_RETURN(Json json, ParseObject(text, known.keys));
  (void)((status = VisitOptions(options, OptionReader(json)), status.ok()) && ...);
  TVLM_RETURN_IF_ERROR(status);
  return json;
}

// A "messages" array. Numbers of images are checked by the session.
Result<std::vector<Message>> ReadMessages(const Json& json) {
  const Json::Array* const list = json.array();
  if (list == nullptr)
    return Error(ErrorCode::kInvalidArgument, "messages: an array wanted, %s found",
                 json.KindName());
  std::vector<Message> messages;
  for (const Json& item : *list) {
    const size_t i = messages.size();
    const auto at = [i](const Status& status) {
      return Status(ErrorCode::kInvalidArgument, Format("messages[%zu]: ", i) + status.message());
    };
    if (item.object() == nullptr)
      return Error(ErrorCode::kInvalidArgument, "messages[%zu]: an object wanted, %s found", i,
                   item.KindName());
    TVLM_RETURN_IF_ERROR(
        CheckKeys(*item.object(), {"role", "content", "images"}, Format("messages[%zu]", i)));
    const Result<std::string> role = item.GetString("role", ErrorCode::kInvalidArgument);
    if (!role.ok()) return at(role.status());
    Message message;
    if (*role == "system") {
      message.role = Message::Role::kSystem;
    } else if (*role == "assistant") {
      message.role = Message::Role::kAssistant;
    } else if (*role != "user") {
      return Error(
          ErrorCode::kInvalidArgument,
          "messages[%zu]: the role \"system\", \"user\" or \"assistant\" wanted, \"%s\" found", i,
          role->c_str());
    }
    Result<std::string> content = item.GetString("content", ErrorCode::kInvalidArgument);
    if (!content.ok()) return at(content.status());
    message.text = std::move(content).value();
    if (const Json* const images = item.Find("images"); images != nullptr) {
      if (images->array() == nullptr)
        return Error(ErrorCode::kInvalidArgument,
                     "messages[%zu]: an array of images wanted, %s found", i, images->KindName());
      for (const Json& image : *images->array()) {
        const std::optional<int64_t> id = image.int64();
        if (!id.has_value() || *id < 0 || *id > UINT32_MAX)
          return Error(ErrorCode::kInvalidArgument,
                       "messages[%zu]: an image's number wanted, %s found", i, image.KindName());
        message.images.push_back(static_cast<ImageId>(*id));
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace

Result<ModelOptions> ParseModelOptions(const char* text) {
  ModelOptions options;
  TVLM_RETURN_IF_ERROR(ReadOptions(text, {}, options).status());
  return options;
}

Result<SessionOptions> ParseSessionOptions(const char* text, size_t max_context) {
  SessionOptions options;
  // A number that the caller gave is not cut: too large a one is the session's error.
  options.context = std::min(options.context, max_context);
  TVLM_RETURN_IF_ERROR(ReadOptions(text, {}, options).status());
  return options;
}

Result<AskOptions> ParseRequest(const char* text) {
  AskOptions options;
  TVLM_ASSIGN_OR_RETURN(
      const Json json,
      ReadOptions(text, {"messages"}, static_cast<AnswerOptions&>(options), options.sampling));
  const Json* const messages = json.Find("messages");
  if (messages == nullptr)
    return Error(ErrorCode::kInvalidArgument, "messages: an array wanted, none found");
  TVLM_ASSIGN_OR_RETURN(options.messages, ReadMessages(*messages));
  return options;
}

}  // namespace tinyvlm
