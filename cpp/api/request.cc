#include "api/request.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/option_reader.h"

namespace tinyvlm {

namespace {

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
