#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/flags.h"
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
      .Number("threads", static_cast<double>(model.pool().num_workers()));
  std::printf("%s\n", report.Finish().c_str());
  return Status();
}

}  // namespace

Status RunAsk(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(
      const Flags flags,
      Flags::Parse(
          arguments,
          {"--image", "--model", "--max-tokens", "--temperature", "--top-k", "--top-p", "--min-p",
           "--repetition-penalty", "--stop", "--seed", "--context", "--compute", "--threads",
           "--variant", "--system", "--then", "--image-size", "--resize", "--chat-style"},
          {"--json", "--exact-preprocess"}, 2, 2));
  std::vector<std::string> images = flags.GetAll("--image");
  if (const std::string& first = flags.positional()[0]; first != "-" && first != "none")
    images.insert(images.begin(), first);
  const std::string path = flags.Get("--model", "");
  if (path.empty())
    return Error(ErrorCode::kInvalidArgument, "--model FILE wanted: the .gguf to ask");

  SessionOptions session_options;
  AskOptions ask;
  ask.stop = flags.GetAll("--stop");
  TVLM_ASSIGN_OR_RETURN(const int64_t threads,
                        flags.GetInt("--threads", static_cast<int64_t>(DefaultThreads()), 1, 64));
  TVLM_ASSIGN_OR_RETURN(
      const int64_t context,
      flags.GetInt("--context", static_cast<int64_t>(session_options.context), 1, INT32_MAX));
  TVLM_ASSIGN_OR_RETURN(session_options.compute, ParseCompute(flags.Get("--compute", "fast")));
  TVLM_ASSIGN_OR_RETURN(
      const int64_t max_tokens,
      flags.GetInt("--max-tokens", static_cast<int64_t>(ask.max_tokens), 1, INT32_MAX));
  TVLM_ASSIGN_OR_RETURN(const int64_t top_k,
                        flags.GetInt("--top-k", ask.sampling.top_k, 0, INT32_MAX));
  TVLM_ASSIGN_OR_RETURN(const int64_t seed, flags.GetInt("--seed", 0, 0, INT64_MAX));
  TVLM_ASSIGN_OR_RETURN(ask.sampling.temperature,
                        flags.GetFloat("--temperature", ask.sampling.temperature));
  TVLM_ASSIGN_OR_RETURN(ask.sampling.top_p, flags.GetFloat("--top-p", ask.sampling.top_p));
  TVLM_ASSIGN_OR_RETURN(ask.sampling.min_p, flags.GetFloat("--min-p", ask.sampling.min_p));
  TVLM_ASSIGN_OR_RETURN(ask.sampling.repetition_penalty,
                        flags.GetFloat("--repetition-penalty", ask.sampling.repetition_penalty));
  TVLM_ASSIGN_OR_RETURN(const int64_t image_size, flags.GetInt("--image-size", 0, 1, INT32_MAX));
  if (flags.Has("--resize")) {
    TVLM_ASSIGN_OR_RETURN(session_options.resize, ParseResizeMode(flags.Get("--resize", "")));
  }
  if (flags.Has("--chat-style")) {
    TVLM_ASSIGN_OR_RETURN(session_options.chat_style,
                          ParseChatStyle(flags.Get("--chat-style", "")));
  }
  session_options.image_size = static_cast<size_t>(image_size);
  ask.max_tokens = static_cast<size_t>(max_tokens);
  ask.sampling.top_k = static_cast<int32_t>(top_k);
  ask.sampling.seed = static_cast<uint64_t>(seed);

  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                        LoadModel(path, static_cast<size_t>(threads)));
  session_options.context = flags.Has("--context")
                                ? static_cast<size_t>(context)
                                : std::min(session_options.context, model->decoder().max_positions);
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

}  // namespace tinyvlm
