#include "api/request.h"

#include <algorithm>
#include <optional>

namespace tinyvlm {

namespace {

// An error behind the word `where` for the first key that is not one of `keys`.
Status CheckKeys(const Json::Object& object, std::initializer_list<std::string_view> keys,
                 const std::string& where) {
  for (const Json::Member& member : object) {
    if (std::find(keys.begin(), keys.end(), member.first) == keys.end()) {
      return Error(ErrorCode::kInvalidArgument, "%s: \"%s\" is not known", where.c_str(),
                   member.first.c_str());
    }
  }
  return Status();
}

Status ReadFloat(const Json& json, const char* key, float* value) {
  if (json.Find(key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(const double number, json.GetNumber(key, ErrorCode::kInvalidArgument));
  *value = static_cast<float>(number);
  return Status();
}

Status ReadStrings(const Json& json, const char* key, std::vector<std::string>* values) {
  const Json* member = json.Find(key);
  if (member == nullptr) return Status();
  if (member->array() == nullptr)
    return Error(ErrorCode::kInvalidArgument, "%s: an array of strings wanted, %s found", key,
                 member->KindName());
  for (const Json& item : *member->array()) {
    if (item.string() == nullptr)
      return Error(ErrorCode::kInvalidArgument, "%s: an array of strings wanted, %s found in it",
                   key, item.KindName());
    values->push_back(*item.string());
  }
  return Status();
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

Result<Json> ParseObject(const char* text, std::initializer_list<std::string_view> keys) {
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

Status ReadInt(const Json& json, const char* key, int64_t min, int64_t max, int64_t* value) {
  if (json.Find(key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(*value, json.GetInt(key, min, max, ErrorCode::kInvalidArgument));
  return Status();
}

Status ReadBool(const Json& json, const char* key, bool* value) {
  if (json.Find(key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(*value, json.GetBool(key, ErrorCode::kInvalidArgument));
  return Status();
}

Status ReadString(const Json& json, const char* key, std::string* value) {
  if (json.Find(key) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(*value, json.GetString(key, ErrorCode::kInvalidArgument));
  return Status();
}

Result<size_t> ParseModelOptions(const char* text) {
  TVLM_ASSIGN_OR_RETURN(const Json json, ParseObject(text, {"threads"}));
  int64_t threads = 1;
  TVLM_RETURN_IF_ERROR(ReadInt(json, "threads", 1, 64, &threads));
  return static_cast<size_t>(threads);
}

Result<SessionOptions> ParseSessionOptions(const char* text, size_t max_context) {
  TVLM_ASSIGN_OR_RETURN(const Json json, ParseObject(text, {"context", "compute", "imageSize",
                                                            "resize", "chatStyle"}));
  SessionOptions options;
  // The default is cut to what the model can do; a number that the caller gave is not.
  int64_t context = static_cast<int64_t>(std::min(options.context, max_context)), image_size = 0;
  std::string compute = "fast", resize, chat_style;
  TVLM_RETURN_IF_ERROR(ReadInt(json, "context", 1, INT32_MAX, &context));
  TVLM_RETURN_IF_ERROR(ReadInt(json, "imageSize", 1, INT32_MAX, &image_size));
  TVLM_RETURN_IF_ERROR(ReadString(json, "compute", &compute));
  TVLM_RETURN_IF_ERROR(ReadString(json, "resize", &resize));
  TVLM_RETURN_IF_ERROR(ReadString(json, "chatStyle", &chat_style));
  options.context = static_cast<size_t>(context);
  options.image_size = static_cast<size_t>(image_size);
  TVLM_ASSIGN_OR_RETURN(options.compute, ParseCompute(compute));
  if (json.Find("resize") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(options.resize, ParseResizeMode(resize));
  }
  if (json.Find("chatStyle") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(options.chat_style, ParseChatStyle(chat_style));
  }
  return options;
}

Result<Request> ParseRequest(const char* text, const std::vector<ImageId>& pending) {
  TVLM_ASSIGN_OR_RETURN(const Json json,
                        ParseObject(text, {"prompt", "messages", "maxTokens", "temperature", "topK",
                                           "topP", "minP", "repetitionPenalty", "stop", "seed"}));
  Request request;
  AskOptions& options = request.options;
  const Json* const messages = json.Find("messages");
  request.is_prompt = json.Find("prompt") != nullptr;
  if (request.is_prompt == (messages != nullptr)) {
    return Error(ErrorCode::kInvalidArgument, "either \"prompt\" or \"messages\" wanted, %s found",
                 request.is_prompt ? "both" : "neither");
  }
  if (request.is_prompt) {
    TVLM_ASSIGN_OR_RETURN(std::string prompt,
                          json.GetString("prompt", ErrorCode::kInvalidArgument));
    options.messages.push_back({Message::Role::kUser, std::move(prompt), pending});
  } else {
    TVLM_ASSIGN_OR_RETURN(options.messages, ReadMessages(*messages));
  }
  int64_t max_tokens = static_cast<int64_t>(options.max_tokens), top_k = 0, seed = 0;
  TVLM_RETURN_IF_ERROR(ReadInt(json, "maxTokens", 1, INT32_MAX, &max_tokens));
  TVLM_RETURN_IF_ERROR(ReadInt(json, "topK", 0, INT32_MAX, &top_k));
  TVLM_RETURN_IF_ERROR(ReadInt(json, "seed", 0, INT64_MAX, &seed));
  TVLM_RETURN_IF_ERROR(ReadFloat(json, "temperature", &options.sampling.temperature));
  TVLM_RETURN_IF_ERROR(ReadFloat(json, "topP", &options.sampling.top_p));
  TVLM_RETURN_IF_ERROR(ReadFloat(json, "minP", &options.sampling.min_p));
  TVLM_RETURN_IF_ERROR(ReadFloat(json, "repetitionPenalty", &options.sampling.repetition_penalty));
  TVLM_RETURN_IF_ERROR(ReadStrings(json, "stop", &options.stop));
  options.max_tokens = static_cast<size_t>(max_tokens);
  options.sampling.top_k = static_cast<int32_t>(top_k);
  options.sampling.seed = static_cast<uint64_t>(seed);
  return request;
}

}  // namespace tinyvlm
