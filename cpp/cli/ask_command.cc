#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "api/request.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/option_flags.h"
#include "engine/model_file.h"
#include "engine/report.h"
#include "engine/session.h"

namespace tinyvlm {

namespace {

// Works until the answer is complete and prints it: as it comes, or whole as one line of JSON.
Status Answer(Session& session, Model& model, bool json, double start, double decode_image_ms) {
  double first_token_ms = 0;
  for (RunState state = RunState::kRunning; state == RunState::kRunning;) {
    TVLM_ASSIGN_OR_RETURN(state, session.Advance(50));
    const std::string_view text = session.TakeText();
    if (text.empty()) continue;
    if (first_token_ms == 0) first_token_ms = NowMs() - start;
    if (json) continue;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  if (!json) {
    std::printf("\n");
    return Status();
  }
  JsonWriter timings = TimingsReport(session);
  timings.Number("decodeImageMs", decode_image_ms)
      .Number("firstTokenMs", first_token_ms)
      .Number("totalMs", NowMs() - start);
  JsonWriter report;
  report.String("text", session.text())
      .String("finishReason", FinishReasonName(session.finish_reason()));
  report.Object("usage", UsageReport(session)).Object("timings", timings);
  report.String("variant", "native")
      .Number("threads", static_cast<double>(model.backend().threads()));
  std::printf("%s\n", report.Finish().c_str());
  return Status();
}

// Errors name options by their keys.
Status Ask(const Flags& flags) {
  std::vector<std::string> images = flags.GetAll("--image");
  if (const std::string& first = flags.positional()[0]; first != "-" && first != "none")
    images.insert(images.begin(), first);
  const std::string path = flags.Get("--model", "");
  if (path.empty())
    return Error(ErrorCode::kInvalidArgument, "--model FILE wanted: the .gguf to ask");

  JsonWriter model_json, session_json, request_json;
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kModel, &model_json));
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kSession, &session_json));
  request_json.Json("messages", "[]");
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kAnswer, &request_json));
  TVLM_RETURN_IF_ERROR(WriteOptions(flags, OptionScope::kSampling, &request_json));
  TVLM_ASSIGN_OR_RETURN(ModelOptions model_options, ParseModelOptions(model_json.Finish().c_str()));
  if (!flags.Has("--threads")) model_options.threads = DefaultThreads();
  TVLM_ASSIGN_OR_RETURN(SessionOptions session_options,
                        ParseSessionOptions(session_json.Finish().c_str(), SIZE_MAX));
  TVLM_ASSIGN_OR_RETURN(const Request request, ParseRequest(request_json.Finish().c_str(), {}));
  AskOptions ask = request.options;

  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model, LoadModel(path, model_options.threads));
  if (!flags.Has("--context"))
    session_options.context = std::min(session_options.context, model->decoder().max_positions);
  TVLM_ASSIGN_OR_RETURN(const auto session, Session::Create(model, session_options));

  // The first question is about the images; those of --then follow in the same conversation.
  if (flags.Has("--system"))
    ask.messages.push_back({Message::Role::kSystem, flags.Get("--system", ""), {}});
  std::vector<std::string> questions = flags.GetAll("--then");
  questions.insert(questions.begin(), flags.positional()[1]);
  const bool exact = flags.Has("--exact-preprocess");
  for (const std::string& question : questions) {
    const double start = NowMs();
    double decode_image_ms = 0;
    ask.messages.push_back({Message::Role::kUser, question, {}});
    for (const std::string& path : images) {
      TVLM_ASSIGN_OR_RETURN(const Image image, DecodeImageFile(path, exact, &decode_image_ms));
      TVLM_ASSIGN_OR_RETURN(const ImageId id, session->AddImage(image.view(), exact));
      ask.messages.back().images.push_back(id);
    }
    images.clear();
    TVLM_RETURN_IF_ERROR(session->Ask(ask));
    TVLM_RETURN_IF_ERROR(Answer(*session, *model, flags.Has("--json"), start, decode_image_ms));
    ask.messages.push_back({Message::Role::kAssistant, std::string(session->text()), {}});
  }
  return Status();
}

}  // namespace

Status RunAsk(const Arguments& arguments) {
  std::vector<std::string_view> values = {"--image", "--model", "--then"}, switches = {"--json"};
  AddOptionFlags(&values, &switches);
  TVLM_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, values, switches, 2, 2));
  return NameFlag(Ask(flags));
}

}  // namespace tinyvlm
