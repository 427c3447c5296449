// `tiny-vlm ask`, written against the C interface (api/tinyvlm.h), as third-party programs are.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/tinyvlm.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/option_flags.h"
#include "cli/warnings.h"
#include "engine/model_file.h"

namespace tinyvlm {

namespace {

struct FreeObject {
  void operator()(tvlm_error* error) const { tvlm_error_free(error); }
  void operator()(tvlm_model* model) const { tvlm_model_free(model); }
  void operator()(tvlm_session* session) const { tvlm_session_free(session); }
};
using OwnedError = std::unique_ptr<tvlm_error, FreeObject>;
using OwnedModel = std::unique_ptr<tvlm_model, FreeObject>;
using OwnedSession = std::unique_ptr<tvlm_session, FreeObject>;

Status ToStatus(tvlm_code code, const char* message) {
  return code == TVLM_OK ? Status() : Status(static_cast<ErrorCode>(code), message);
}

Status ToStatus(tvlm_code code, tvlm_model* model) {
  return ToStatus(code, tvlm_model_error(model));
}

Status ToStatus(tvlm_code code, tvlm_session* session) {
  return ToStatus(code, tvlm_session_error(session));
}

Status ToStatus(tvlm_error* error) {
  const OwnedError owned(error);
  return ToStatus(tvlm_error_code(error), tvlm_error_message(error));
}

// A conversation as the "messages" of a request.
class Messages {
 public:
  void Add(const char* role, std::string_view content, const std::vector<uint32_t>& images = {}) {
    JsonWriter message;
    message.String("role", role).String("content", content);
    if (!images.empty()) {
      std::string list;
      for (const uint32_t image : images) {
        list += list.empty() ? '[' : ',';
        list += std::to_string(image);
      }
      list += ']';
      message.Json("images", list);
    }
    messages_.push_back(std::move(message));
  }

  const std::vector<JsonWriter>& list() const { return messages_; }

 private:
  std::vector<JsonWriter> messages_;
};

// State of an answer while it is streamed.
struct Answer {
  bool json = false;
  double start = 0;
  double first_token_ms = 0;
};

int OnText(const char* text, size_t length, void* user_data) {
  Answer* const answer = static_cast<Answer*>(user_data);
  if (answer->first_token_ms == 0) answer->first_token_ms = NowMs() - answer->start;
  if (!answer->json) {
    std::fwrite(text, 1, length, stdout);
    std::fflush(stdout);
  }
  return 0;
}

// The report of an answer as one line of JSON: the library's, with the command's own timings.
Result<std::string> ReportLine(const Json& report, const Answer& answer, const Json& model) {
  JsonWriter timings, line;
  for (const Json::Member& timing : *report.Find("timings")->object())
    timings.Number(timing.first.c_str(), *timing.second.number());
  timings.Number("firstTokenMs", answer.first_token_ms).Number("totalMs", NowMs() - answer.start);
  JsonWriter usage;
  for (const Json::Member& count : *report.Find("usage")->object())
    usage.Number(count.first.c_str(), *count.second.number());
  line.String("text", *report.Find("text")->string())
      .String("finishReason", *report.Find("finishReason")->string())
      .Object("usage", usage)
      .Object("timings", timings)
      .String("variant", "native")
      .Number("threads", *model.Find("threads")->number());
  if (const Json* const logprobs = report.Find("logprobs"); logprobs != nullptr) {
    std::string list;
    AppendJson(*logprobs, /*sort_keys=*/false, &list);
    line.Json("logprobs", list);
  }
  return line.Finish();
}

Result<Json> ParseText(const char* text, size_t length) {
  return ParseJson(std::string_view(text, length));
}

// Those in the information about a model or an image; `of` stands before each.
Status PrintWarnings(const char* text, size_t length, const std::string& of) {
  TVLM_ASSIGN_OR_RETURN(const Json info, ParseText(text, length));
  for (const Json& warning : *info.Find("warnings")->array()) PrintWarning(of + *warning.string());
  return Status();
}

// Asks and prints the answer: as it comes, or whole as one line of JSON. Returns its text.
Result<std::string> Ask(tvlm_model* model, tvlm_session* session, const std::string& request,
                        Answer answer) {
  TVLM_RETURN_IF_ERROR(ToStatus(tvlm_session_ask(session, request.c_str()), session));
  TVLM_RETURN_IF_ERROR(ToStatus(tvlm_session_run(session, &OnText, &answer), session));
  size_t length = 0;
  const char* text = tvlm_session_report(session, &length);
  TVLM_ASSIGN_OR_RETURN(const Json report, ParseText(text, length));
  if (answer.json) {
    text = tvlm_model_info(model, &length);
    TVLM_ASSIGN_OR_RETURN(const Json info, ParseText(text, length));
    TVLM_ASSIGN_OR_RETURN(const std::string line, ReportLine(report, answer, info));
    std::printf("%s\n", line.c_str());
  } else {
    std::printf("\n");
  }
  return *report.Find("text")->string();
}

// `flags`: those of tvlm_session_add_image.
Result<uint32_t> AddImage(tvlm_session* session, const std::string& path, uint32_t flags) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file, RandomAccessFile::Open(path));
  if (file.size() > kMaxImageFileBytes) {
    return Error(ErrorCode::kInvalidImage,
                 "%s: at most %" PRIu64 " bytes wanted, %" PRIu64 " found", path.c_str(),
                 kMaxImageFileBytes, file.size());
  }
  struct Reading {
    const RandomAccessFile& file;
    Status status;
  } reading{file, Status()};
  const tvlm_read read = [](uint64_t offset, void* to, size_t bytes, void* user_data) {
    Reading* const r = static_cast<Reading*>(user_data);
    r->status = r->file.ReadAt(offset, to, bytes);
    return r->status.ok() ? 0 : 1;
  };
  uint32_t image = 0;
  const Status status =
      ToStatus(tvlm_session_add_image_from(session, read, &reading,
                                           static_cast<size_t>(file.size()), flags, &image),
               session);
  TVLM_RETURN_IF_ERROR(reading.status);
  if (!status.ok()) return Status(status.code(), path + ": " + status.message());
  size_t length = 0;
  const char* const text = tvlm_session_image_info(session, image, &length);
  TVLM_RETURN_IF_ERROR(PrintWarnings(text, length, path + ": "));
  return image;
}

// Writes --schema, --choices or --pattern to `json`, as "responseFormat".
Status WriteResponseFormat(const Flags& flags, JsonWriter* json) {
  const bool schema = flags.Has("--schema"), choices = flags.Has("--choices"),
             pattern = flags.Has("--pattern");
  if (schema + choices + pattern > 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "one of --schema, --choices and --pattern wanted, several found");
  }
  constexpr uint64_t kMaxSchemaBytes = uint64_t{1} << 20;
  JsonWriter format;
  if (schema) {
    const std::string path = flags.Get("--schema", "");
    TVLM_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxSchemaBytes));
    const Result<Json> parsed = ParseJson(text);
    if (!parsed.ok())
      return Status(ErrorCode::kInvalidArgument, path + ": " + parsed.status().message());
    format.Json("schema", text);
  }
  if (choices) {
    std::vector<std::string> texts(1);
    for (const char c : flags.Get("--choices", "")) {
      if (c == ',') {
        texts.emplace_back();
      } else {
        texts.back() += c;
      }
    }
    format.Strings("choices", texts);
  }
  if (pattern) format.String("pattern", flags.Get("--pattern", ""));
  if (schema || choices || pattern) json->Object("responseFormat", format);
  return Status();
}

// Runs the command. Errors name options by their JSON keys (see NameFlag).
Status RunQuestions(const Flags& flags) {
  uint32_t image_flags = 0;
  if (flags.Has("--exact-preprocess")) image_flags |= TVLM_IMAGE_EXACT;
  if (flags.Has("--strict")) image_flags |= TVLM_IMAGE_STRICT;
  std::vector<std::string> images = flags.GetAll("--image");
  if (const std::string& first = flags.positional()[0]; first != "-" && first != "none")
    images.insert(images.begin(), first);
  const std::string path = flags.Get("--model", "");
  if (path.empty())
    return Error(ErrorCode::kInvalidArgument, "--model FILE wanted: the .gguf to ask");

  JsonWriter model_options, session_options, answer_options;
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kModel, &model_options));
  if (!flags.Has("--threads"))
    model_options.Number("threads", static_cast<double>(DefaultThreads()));
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kSession, &session_options));
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kAnswer, &answer_options));
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kSampling, &answer_options));
  TVLM_RETURN_IF_ERROR(WriteResponseFormat(flags, &answer_options));

  tvlm_error* error = nullptr;
  const OwnedModel model(tvlm_model_create(model_options.Finish().c_str(), &error));
  TVLM_RETURN_IF_ERROR(ToStatus(error));
  TVLM_RETURN_IF_ERROR(
      ToStatus(tvlm_model_load_path(model.get(), path.c_str(), nullptr, nullptr), model.get()));
  size_t length = 0;
  const char* const model_info = tvlm_model_info(model.get(), &length);
  TVLM_RETURN_IF_ERROR(PrintWarnings(model_info, length, ""));
  const OwnedSession session(
      tvlm_session_create(model.get(), session_options.Finish().c_str(), &error));
  TVLM_RETURN_IF_ERROR(ToStatus(error));

  // The first question is about the images; those of --then follow in the same conversation.
  Messages messages;
  if (flags.Has("--system")) messages.Add("system", flags.Get("--system", ""));
  std::vector<std::string> questions = flags.GetAll("--then");
  questions.insert(questions.begin(), flags.positional()[1]);
  for (const std::string& question : questions) {
    Answer answer;
    answer.json = flags.Has("--json");
    answer.start = NowMs();
    std::vector<uint32_t> numbers;
    for (const std::string& image : images) {
      TVLM_ASSIGN_OR_RETURN(const uint32_t number, AddImage(session.get(), image, image_flags));
      numbers.push_back(number);
    }
    images.clear();
    messages.Add("user", question, numbers);
    JsonWriter request = answer_options;
    request.Array("messages", messages.list());
    TVLM_ASSIGN_OR_RETURN(const std::string text,
                          Ask(model.get(), session.get(), request.Finish(), answer));
    messages.Add("assistant", text);
  }
  return Status();
}

}  // namespace

Status RunAsk(const Arguments& arguments) {
  std::vector<std::string_view> values = {"--image",  "--model",   "--then",
                                          "--schema", "--choices", "--pattern"},
                                switches = {"--json"};
  AddOptionFlags(&values, &switches);
  TVLM_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, values, switches, 2, 2));
  return NameFlag(RunQuestions(flags));
}

}  // namespace tinyvlm
