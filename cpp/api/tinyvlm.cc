#include "api/tinyvlm.h"

#include <algorithm>
#include <cinttypes>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/request.h"
#include "api/self_test.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "engine/model_loader.h"
#include "engine/report.h"
#include "engine/session.h"
#include "image/decode.h"

using namespace tinyvlm;  // NOLINT: this file is the border, everything below it is the engine

namespace {

// ---- results ------------------------------------------------------------------

thread_local std::string last_message, last_text;

tvlm_result Failed(const Status& status) {
  last_message = status.message();
  last_text.clear();
  return {static_cast<int32_t>(status.code()), last_message.c_str(), 0, last_text.c_str()};
}

tvlm_result Succeeded(uint64_t value = 0, std::string_view text = {}) {
  last_message.clear();
  last_text = text;
  return {0, last_message.c_str(), value, last_text.c_str()};
}

// Ends the calling function with the error, if there is one.
#define TVLM_API_CHECK(expr)                           \
  do {                                                 \
    const Status tvlm_status = (expr);                 \
    if (!tvlm_status.ok()) return Failed(tvlm_status); \
  } while (0)
#define TVLM_API_ASSIGN(lhs, expr) \
  TVLM_API_ASSIGN_IMPL(TVLM_CONCAT(tvlm_result_, __LINE__), lhs, expr)
#define TVLM_API_ASSIGN_IMPL(result, lhs, expr)     \
  auto result = (expr);                             \
  if (!result.ok()) return Failed(result.status()); \
  lhs = std::move(result).value()

// ---- handles ------------------------------------------------------------------

struct OpenSession {
  std::unique_ptr<Session> session;
  AlignedBuffer<uint8_t> image;  // the reserved image's bytes
  std::vector<ImageId> pending;  // images for the next request with a "prompt"

  // Forgets the images of a question that is not asked, or was.
  void DropPending() {
    for (const ImageId id : pending) session->DropImage(id);
    pending.clear();
  }
};

// Handles are positions in a table plus one; a closed one's place is used again.
template <typename T>
class HandleTable {
 public:
  uint32_t Add(std::unique_ptr<T> object) {
    size_t place = 0;
    while (place < objects_.size() && objects_[place] != nullptr) ++place;
    if (place == objects_.size()) objects_.emplace_back();
    objects_[place] = std::move(object);
    return static_cast<uint32_t>(place + 1);
  }

  Result<T*> Get(uint32_t handle, const char* what) {
    if (handle == 0 || handle > objects_.size() || objects_[handle - 1] == nullptr) {
      return Error(ErrorCode::kInvalidArgument, "%u is not the handle of an open %s", handle, what);
    }
    return objects_[handle - 1].get();
  }

  Status Remove(uint32_t handle, const char* what) {
    TVLM_RETURN_IF_ERROR(Get(handle, what).status());
    objects_[handle - 1].reset();
    return Status();
  }

 private:
  std::vector<std::unique_ptr<T>> objects_;
};

HandleTable<ModelLoader>& Models() {
  static HandleTable<ModelLoader> table;
  return table;
}

HandleTable<OpenSession>& Sessions() {
  static HandleTable<OpenSession> table;
  return table;
}

// Brings the image in `bytes` into the session, as the last pending one; returns the report.
Result<std::string> AddImage(OpenSession& open, const AlignedBuffer<uint8_t>& bytes,
                             const char* options) {
  TVLM_ASSIGN_OR_RETURN(const Json json,
                        ParseObject(options, {"bytes", "format", "width", "height", "exact"}));
  std::string format = "encoded";
  bool exact = false;
  int64_t width = 0, height = 0, size = static_cast<int64_t>(bytes.size());
  TVLM_RETURN_IF_ERROR(ReadInt(json, "bytes", 0, static_cast<int64_t>(bytes.size()), &size));
  TVLM_RETURN_IF_ERROR(ReadString(json, "format", &format));
  TVLM_RETURN_IF_ERROR(ReadBool(json, "exact", &exact));
  TVLM_RETURN_IF_ERROR(ReadInt(json, "width", 1, INT32_MAX, &width));
  TVLM_RETURN_IF_ERROR(ReadInt(json, "height", 1, INT32_MAX, &height));
  const double start = NowMs();
  double decoded = start;
  ImageId id = 0;
  if (format == "encoded") {
    TVLM_ASSIGN_OR_RETURN(const Image image,
                          DecodeImage({bytes.data(), static_cast<size_t>(size)}, exact));
    width = static_cast<int64_t>(image.width());
    height = static_cast<int64_t>(image.height());
    decoded = NowMs();
    TVLM_ASSIGN_OR_RETURN(id, open.session->AddImage(image.view(), exact));
  } else {
    if (format != "rgba" && format != "rgb") {
      return Error(ErrorCode::kInvalidArgument,
                   "format: \"encoded\", \"rgba\" or \"rgb\" wanted, \"%s\" found", format.c_str());
    }
    const uint64_t channels = format == "rgba" ? 4 : 3;
    TVLM_RETURN_IF_ERROR(
        CheckImageSize(static_cast<uint64_t>(width), static_cast<uint64_t>(height)));
    const uint64_t wanted = static_cast<uint64_t>(width) * static_cast<uint64_t>(height) * channels;
    if (static_cast<uint64_t>(size) != wanted) {
      return Error(ErrorCode::kInvalidImage,
                   "%" PRId64 " x %" PRId64 " %s pixels: %" PRIu64 " bytes wanted, %" PRId64
                   " found",
                   width, height, format.c_str(), wanted, size);
    }
    const size_t row = static_cast<size_t>(width * static_cast<int64_t>(channels));
    const ImageView view{bytes.data(), static_cast<size_t>(width), static_cast<size_t>(height),
                         static_cast<size_t>(channels), row};
    TVLM_ASSIGN_OR_RETURN(id, open.session->AddImage(view, exact));
  }
  open.pending.push_back(id);
  const double end = NowMs();
  JsonWriter report;
  report.Number("decodeMs", decoded - start).Number("preprocessMs", end - decoded);
  report.Number("width", static_cast<double>(width)).Number("height", static_cast<double>(height));
  return report.Finish();
}

}  // namespace

tvlm_result tvlm_self_test(void) {
  TVLM_API_CHECK(SelfTest());
  return Succeeded();
}

tvlm_result tvlm_model_create(const char* options) {
  TVLM_API_ASSIGN(const ModelOptions model_options, ParseModelOptions(options));
  return Succeeded(Models().Add(std::make_unique<ModelLoader>(model_options.threads)));
}

tvlm_result tvlm_model_reserve(uint32_t model, uint64_t bytes) {
  TVLM_API_ASSIGN(ModelLoader* const loader, Models().Get(model, "model"));
  TVLM_API_ASSIGN(uint8_t* const address, loader->Reserve(bytes));
  return Succeeded(reinterpret_cast<uintptr_t>(address));
}

tvlm_result tvlm_model_commit(uint32_t model, uint64_t bytes) {
  TVLM_API_ASSIGN(ModelLoader* const loader, Models().Get(model, "model"));
  TVLM_API_CHECK(loader->Commit(bytes));
  return Succeeded(static_cast<uint64_t>(loader->state()));
}

tvlm_result tvlm_model_end(uint32_t model) {
  TVLM_API_ASSIGN(ModelLoader* const loader, Models().Get(model, "model"));
  TVLM_API_CHECK(loader->End());
  return Succeeded();
}

tvlm_result tvlm_model_info(uint32_t model) {
  TVLM_API_ASSIGN(ModelLoader* const loader, Models().Get(model, "model"));
  JsonWriter report;
  report.Number("state", static_cast<double>(loader->state()))
      .Number("fileBytes", static_cast<double>(loader->file_bytes()))
      .Number("receivedBytes", static_cast<double>(loader->received_bytes()));
  if (Model* const m = loader->model().get(); m != nullptr) {
    report.Number("threads", static_cast<double>(m->backend().threads()))
        .String("backend", m->backend().name())
        .String("name", m->name())
        .String("architecture", m->architecture())
        .Number("imageSize", static_cast<double>(m->vision().image_size))
        .Number("imageTokens", static_cast<double>(m->image_tokens()))
        .Bool("hasTokenizer", m->tokenizer() != nullptr)
        .Number("maxContext", static_cast<double>(m->decoder().max_positions))
        .Number("vocabulary", static_cast<double>(m->valid_ids()));
  }
  return Succeeded(0, report.Finish());
}

tvlm_result tvlm_model_dispose(uint32_t model) {
  TVLM_API_CHECK(Models().Remove(model, "model"));
  return Succeeded();
}

tvlm_result tvlm_session_create(uint32_t model, const char* options) {
  TVLM_API_ASSIGN(ModelLoader* const loader, Models().Get(model, "model"));
  if (loader->model() == nullptr)
    return Failed(Error(ErrorCode::kNotReady, "the model's header has not arrived yet"));
  TVLM_API_ASSIGN(const SessionOptions session_options,
                  ParseSessionOptions(options, loader->model()->decoder().max_positions));
  auto open = std::make_unique<OpenSession>();
  TVLM_API_ASSIGN(open->session, Session::Create(loader->model(), session_options));
  const Session& session = *open->session;
  JsonWriter report;
  report.Number("imageSize", static_cast<double>(session.image_size()))
      .Number("imageTokens", static_cast<double>(session.image_tokens()));
  report.Number("context", static_cast<double>(session.context()));
  return Succeeded(Sessions().Add(std::move(open)), report.Finish());
}

tvlm_result tvlm_image_reserve(uint32_t session, uint64_t bytes) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  Result<AlignedBuffer<uint8_t>> image = bytes == 0
                                             ? Error(ErrorCode::kInvalidImage, "the image is empty")
                                             : AlignedBuffer<uint8_t>::Allocate(bytes, "image");
  if (!image.ok()) {
    open->DropPending();
    return Failed(image.status());
  }
  open->image = std::move(image).value();
  return Succeeded(reinterpret_cast<uintptr_t>(open->image.data()));
}

tvlm_result tvlm_image_add(uint32_t session, const char* options) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  const AlignedBuffer<uint8_t> bytes = std::move(open->image);
  const Result<std::string> report = AddImage(*open, bytes, options);
  if (!report.ok()) {
    open->DropPending();
    return Failed(report.status());
  }
  return Succeeded(open->pending.back(), *report);
}

tvlm_result tvlm_image_drop(uint32_t session, uint32_t image) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  std::erase(open->pending, image);
  open->session->DropImage(image);
  return Succeeded();
}

tvlm_result tvlm_session_ask(uint32_t session, const char* request) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  const Result<Request> parsed = ParseRequest(request, open->pending);
  // Images that messages name stay until they are dropped by name.
  if (parsed.ok() && !parsed->is_prompt) open->pending.clear();
  const Status asked = parsed.ok() ? open->session->Ask(parsed->options) : parsed.status();
  open->DropPending();
  return asked.ok() ? Succeeded() : Failed(asked);
}

tvlm_result tvlm_session_advance(uint32_t session, double budget_ms) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  if (!(budget_ms >= 0))
    return Failed(
        Error(ErrorCode::kInvalidArgument, "budget: 0 ms or more wanted, %g found", budget_ms));
  TVLM_API_ASSIGN(const RunState state, open->session->Advance(budget_ms));
  return Succeeded(static_cast<uint64_t>(state), open->session->TakeText());
}

tvlm_result tvlm_session_result(uint32_t session) {
  TVLM_API_ASSIGN(OpenSession* const open, Sessions().Get(session, "session"));
  const Session& s = *open->session;
  JsonWriter report;
  report.String("text", s.text()).String("finishReason", FinishReasonName(s.finish_reason()));
  report.Object("usage", UsageReport(s)).Object("timings", TimingsReport(s));
  return Succeeded(0, report.Finish());
}

tvlm_result tvlm_session_dispose(uint32_t session) {
  TVLM_API_CHECK(Sessions().Remove(session, "session"));
  return Succeeded();
}
