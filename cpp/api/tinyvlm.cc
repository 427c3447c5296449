// The C interface over the engine. Arguments are checked here, once. No state outside the objects:
// a process may exit while another thread is in here.
#include "api/tinyvlm.h"

#include <chrono>
#include <cinttypes>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/answer_constraint.h"
#include "api/guard.h"
#include "api/internal.h"
#include "api/request.h"
#include "api/self_test.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "engine/memory_estimate.h"
#include "engine/model_file.h"
#include "engine/model_loader.h"
#include "engine/report.h"
#include "engine/session.h"
#include "formats/gguf_reader.h"
#include "image/decode.h"
#include "image/preprocess.h"
#include "tensor/shape.h"

using namespace tinyvlm;  // NOLINT: this file is the border, everything below it is the engine

// ---- objects ------------------------------------------------------------------

// Plain, so that one of them needs neither memory nor a destructor.
struct tvlm_error {
  tvlm_code code;
  const char* message;  // owned
};

struct tvlm_model {
  enum class Source { kNone, kWhole, kChunks };

  explicit tvlm_model(size_t thread_count) : threads(thread_count), loader(thread_count) {}

  const size_t threads;
  Source source = Source::kNone;  // what it is loaded from; a model is loaded once
  ModelLoader loader;             // of chunks
  uint64_t file_bytes = 0, received_bytes = 0;
  tvlm_load_state state = TVLM_LOAD_HEADER;
  std::mutex publish;            // `model` is read by tvlm_session_create on any thread
  std::shared_ptr<Model> model;  // null until the header is whole
  const std::shared_ptr<SharedTrie> trie = std::make_shared<SharedTrie>();
  bool exhausted = false;  // memory ran out while it was loaded
  LastError error;
  std::string info;

  std::shared_ptr<Model> Get() {
    const std::lock_guard<std::mutex> lock(publish);
    return model;
  }
  void Set(std::shared_ptr<Model> loaded) {
    const std::lock_guard<std::mutex> lock(publish);
    model = std::move(loaded);
  }
};

struct tvlm_session {
  tvlm_session(std::shared_ptr<Model> of, std::shared_ptr<SharedTrie> trie)
      : model(std::move(of)), constraints(std::move(trie)) {}

  const std::shared_ptr<Model> model;
  AnswerConstraints constraints;
  std::unique_ptr<Session> session;
  double decode_image_ms = 0;                                  // of the answer's images
  double pending_decode_image_ms = 0;                          // of images added since the last ask
  std::map<ImageId, std::vector<std::string>> image_warnings;  // where there are any
  LastError error;
  std::string info, text, report, image_info, inspected;
};

namespace {

// ---- codes --------------------------------------------------------------------

static_assert(TVLM_OK == static_cast<int>(ErrorCode::kOk) &&
              TVLM_INVALID_ARGUMENT == static_cast<int>(ErrorCode::kInvalidArgument) &&
              TVLM_NOT_FOUND == static_cast<int>(ErrorCode::kNotFound) &&
              TVLM_INVALID_FILE == static_cast<int>(ErrorCode::kInvalidFile) &&
              TVLM_UNSUPPORTED == static_cast<int>(ErrorCode::kUnsupported) &&
              TVLM_OUT_OF_MEMORY == static_cast<int>(ErrorCode::kOutOfMemory) &&
              TVLM_INVALID_IMAGE == static_cast<int>(ErrorCode::kInvalidImage) &&
              TVLM_CONTEXT_FULL == static_cast<int>(ErrorCode::kContextFull) &&
              TVLM_IO == static_cast<int>(ErrorCode::kIo) &&
              TVLM_NOT_READY == static_cast<int>(ErrorCode::kNotReady) &&
              TVLM_INTERNAL == static_cast<int>(ErrorCode::kInternal) &&
              TVLM_ABORTED == static_cast<int>(ErrorCode::kAborted));
static_assert(TVLM_LOAD_HEADER == static_cast<int>(ModelLoader::State::kHeader) &&
              TVLM_LOAD_DATA == static_cast<int>(ModelLoader::State::kLoading) &&
              TVLM_LOAD_COMPLETE == static_cast<int>(ModelLoader::State::kComplete));

// Every code has its enumerator: the compiler warns of a missing one, and the assertions above hold
// the numbers together.
tvlm_code CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidFile:
    case ErrorCode::kUnsupported:
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kInvalidImage:
    case ErrorCode::kContextFull:
    case ErrorCode::kIo:
    case ErrorCode::kNotReady:
    case ErrorCode::kInternal:
    case ErrorCode::kAborted:
      return static_cast<tvlm_code>(code);
  }
  return TVLM_INTERNAL;
}

tvlm_run_state StateOf(RunState state) {
  switch (state) {
    case RunState::kRunning:
      return TVLM_RUNNING;
    case RunState::kDone:
      return TVLM_DONE;
    case RunState::kWaiting:
      return TVLM_WAITING;
    case RunState::kBusy:
      return TVLM_BUSY;
  }
  return TVLM_DONE;
}

// Handed out where there is no memory for an error either; never freed.
constexpr tvlm_error kExhaustedError{TVLM_OUT_OF_MEMORY, LastError::kExhausted};

tvlm_code Exhausted(tvlm_error** error) {
  if (error != nullptr) *error = const_cast<tvlm_error*>(&kExhaustedError);
  return TVLM_OUT_OF_MEMORY;
}

// Hands out why a function without an object failed.
tvlm_code Failed(const Status& status, tvlm_error** error) {
  const tvlm_code code = CodeOf(status.code());
  if (error == nullptr) return code;
  *error = nullptr;
  if (code == TVLM_OK) return code;
  const size_t bytes = status.message().size() + 1;
  char* const message = new (std::nothrow) char[bytes];
  tvlm_error* const made = new (std::nothrow) tvlm_error{code, message};
  if (message == nullptr || made == nullptr) {
    delete[] message;
    delete made;
    return Exhausted(error);
  }
  std::memcpy(message, status.message().c_str(), bytes);
  *error = made;
  return code;
}

// Calls a function without an object.
template <typename Call>
tvlm_code Guard(tvlm_error** error, const Call& call) {
  return Guarded([&] { return Failed(call(), error); }, [&] { return Exhausted(error); });
}

// Calls a function on an object and keeps its error where tvlm_model_error and tvlm_session_error
// find it. Where memory runs out, run_out() leaves the object as it is to be found.
template <typename Object, typename Call, typename RunOut>
tvlm_code Guard(Object* object, const Call& call, const RunOut& run_out) {
  return Guarded(
      [&] {
        Status status = call();
        const tvlm_code code = CodeOf(status.code());
        if (!status.ok()) object->error.Set(std::move(status));
        return code;
      },
      [&] {
        run_out();
        object->error.SetExhausted();
        return TVLM_OUT_OF_MEMORY;
      });
}

// A model that was being loaded stays failed.
template <typename Call>
tvlm_code Guard(tvlm_model* model, const Call& call) {
  return Guard(model, call, [model] { model->exhausted = model->state != TVLM_LOAD_COMPLETE; });
}

template <typename Call>
tvlm_code Guard(tvlm_session* session, const Call& call) {
  return Guard(session, call, [] {});
}

// Calls a function that works on an answer, which ends where memory runs out.
template <typename Call>
tvlm_code GuardAnswer(tvlm_session* session, const Call& call) {
  return Guard(session, call, [session] {
    session->session->Abandon();
    session->constraints.Forget();
  });
}

const char* Text(const std::string& text, size_t* length) {
  if (length != nullptr) *length = text.size();
  return text.c_str();
}

const char* NoText(size_t* length) {
  if (length != nullptr) *length = 0;
  return "";
}

// The text that `write` puts into `*to`; "" and an error of the object where there is no memory for
// it, which changes nothing else.
template <typename Object, typename Write>
const char* Written(Object* object, std::string* to, size_t* length, const Write& write) {
  return Guarded(
      [&] {
        *to = write();
        return Text(*to, length);
      },
      [&] {
        object->error.SetExhausted();
        return NoText(length);
      });
}

// ---- loading ------------------------------------------------------------------

Status NullArgument(const char* name) {
  return Error(ErrorCode::kInvalidArgument, "%s wanted, NULL found", name);
}

// Begins, or with chunks goes on, loading.
Status Begin(tvlm_model* model, tvlm_model::Source source) {
  if (model->exhausted)
    return Error(ErrorCode::kOutOfMemory, "memory ran out while this model was loaded; free it");
  const bool goes_on = source == tvlm_model::Source::kChunks && model->source == source;
  if (model->source != tvlm_model::Source::kNone && !goes_on)
    return Error(ErrorCode::kNotReady, "a model is loaded once; create another to load again");
  model->source = source;
  return Status();
}

// Loads the whole file by `load(options)`.
template <typename Load>
Status LoadWhole(tvlm_model* model, tvlm_progress progress, void* user_data, const Load& load) {
  TVLM_RETURN_IF_ERROR(Begin(model, tvlm_model::Source::kWhole));
  LoadOptions options;
  options.threads = model->threads;
  options.progress = [&](uint64_t loaded, uint64_t total) {
    model->received_bytes = loaded;
    model->file_bytes = total;
    if (progress == nullptr || progress(loaded, total, user_data) == 0) return Status();
    return Error(ErrorCode::kAborted,
                 "loading was cancelled after %" PRIu64 " of %" PRIu64 " bytes", loaded, total);
  };
  TVLM_ASSIGN_OR_RETURN(std::shared_ptr<Model> loaded, load(options));
  model->Set(std::move(loaded));
  model->state = TVLM_LOAD_COMPLETE;
  return Status();
}

// Calls the loader of chunks and takes over what is then known of the model.
template <typename Call>
Status LoadChunk(tvlm_model* model, const Call& call) {
  TVLM_RETURN_IF_ERROR(Begin(model, tvlm_model::Source::kChunks));
  ModelLoader& loader = model->loader;
  Status status = call(loader);
  model->state = static_cast<tvlm_load_state>(loader.state());
  model->file_bytes = loader.file_bytes();
  model->received_bytes = loader.received_bytes();
  if (model->model == nullptr && loader.model() != nullptr) model->Set(loader.model());
  return status;
}

// ---- memory -------------------------------------------------------------------

Status Estimate(Result<GgufFile> header, const char* model_options, const char* session_options,
                tvlm_memory_estimate* estimate) {
  if (!header.ok()) return header.status();
  estimate->header_bytes = header->data_offset;
  TVLM_ASSIGN_OR_RETURN(const ModelOptions parsed, ParseModelOptions(model_options));
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                        Model::Create(std::move(header).value(), parsed.threads));
  TVLM_ASSIGN_OR_RETURN(const MemoryEstimate memory,
                        EstimateMemory(model, [session_options](size_t max_context) {
                          return ParseSessionOptions(session_options, max_context);
                        }));
  estimate->weight_bytes = memory.weights + memory.widened;
  estimate->tokenizer_bytes = memory.tokenizer;
  estimate->kv_cache_bytes = memory.kv_cache;
  estimate->activation_bytes = memory.activations;
  return Status();
}

// Calls a function that fills an estimate.
template <typename Call>
tvlm_code GuardEstimate(tvlm_memory_estimate* estimate, tvlm_error** error, const Call& call) {
  return Guard(error, [&]() -> Status {
    if (estimate == nullptr) return NullArgument("a place for the estimate");
    *estimate = {};
    return call();
  });
}

Status EstimatePath(const char* path, const char* model_options, const char* session_options,
                    tvlm_memory_estimate* estimate) {
  if (path == nullptr) return NullArgument("a path");
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file, RandomAccessFile::Open(path));
  const Status status = Estimate(ReadGgufHeader(file), model_options, session_options, estimate);
  return status.ok() ? status : Status(status.code(), std::string(path) + ": " + status.message());
}

Status EstimatePrefix(const void* prefix, size_t bytes, const char* model_options,
                      const char* session_options, tvlm_memory_estimate* estimate) {
  if (prefix == nullptr) return NullArgument("the first bytes of a model file");
  const std::span<const uint8_t> given(static_cast<const uint8_t*>(prefix), bytes);
  TVLM_ASSIGN_OR_RETURN(GgufParse parse, ParseGgufHeader(given));
  if (!parse.file.has_value()) {
    estimate->header_bytes = parse.bytes_needed;
    return Error(ErrorCode::kNotReady,
                 "at least the first %" PRIu64 " bytes of the model file wanted, %zu found",
                 parse.bytes_needed, bytes);
  }
  TVLM_RETURN_IF_ERROR(
      VerifyHeaderHash(*parse.file, given.first(static_cast<size_t>(parse.file->data_offset))));
  return Estimate(std::move(*parse.file), model_options, session_options, estimate);
}

// ---- images -------------------------------------------------------------------

Status CheckFlags(uint32_t flags) {
  if ((flags & ~uint32_t{TVLM_IMAGE_EXACT | TVLM_IMAGE_STRICT}) == 0) return Status();
  return Error(ErrorCode::kInvalidArgument,
               "flags: TVLM_IMAGE_EXACT, TVLM_IMAGE_STRICT, both or 0 wanted, %" PRIu32 " found",
               flags);
}

// The caller's function as one that returns a Status.
ByteSource::Read Reader(tvlm_read read, void* user_data) {
  return [read, user_data](size_t offset, uint8_t* to, size_t bytes) {
    if (read(offset, to, bytes, user_data) == 0) return Status();
    return Error(ErrorCode::kAborted, "reading the image was ended at its byte %zu", offset);
  };
}

Status AddFile(tvlm_session* session, const ByteSource& file, uint32_t flags, uint32_t* image) {
  if (image == nullptr) return NullArgument("a place for the image's number");
  TVLM_RETURN_IF_ERROR(CheckFlags(flags));
  if (file.size() == 0) return Error(ErrorCode::kInvalidImage, "the image is empty");
  double decode_ms = 0;
  std::map<ImageId, std::vector<std::string>> noted;  // a place that needs no memory afterwards
  std::vector<std::string>& warnings = noted[0];
  const RowSource rows = [&](RowSink& sink) {
    return DecodeImage(file, (flags & TVLM_IMAGE_EXACT) != 0, sink,
                       (flags & TVLM_IMAGE_STRICT) != 0 ? nullptr : &warnings);
  };
  TVLM_ASSIGN_OR_RETURN(*image, session->session->AddImage(rows, &decode_ms));
  session->pending_decode_image_ms += decode_ms;
  if (!warnings.empty()) {
    auto place = noted.extract(noted.begin());
    place.key() = *image;
    session->image_warnings.insert(std::move(place));
  }
  return Status();
}

Status InspectFile(tvlm_session* session, tvlm_read read, void* user_data, size_t bytes,
                   uint32_t flags) {
  if (read == nullptr) return NullArgument("a function that reads the image");
  TVLM_RETURN_IF_ERROR(CheckFlags(flags));
  TVLM_ASSIGN_OR_RETURN(
      const ImageFileReport report,
      InspectImage(ByteSource(bytes, Reader(read, user_data)), (flags & TVLM_IMAGE_STRICT) != 0));
  session->inspected = JsonWriter()
                           .String("format", report.format)
                           .Bool("whole", report.whole)
                           .Strings("warnings", report.warnings)
                           .Finish();
  return Status();
}

Status CheckPixels(tvlm_pixel_format format, size_t width, size_t height, uint32_t flags,
                   const uint32_t* image) {
  if (image == nullptr) return NullArgument("a place for the image's number");
  TVLM_RETURN_IF_ERROR(CheckFlags(flags));
  if (format != TVLM_PIXELS_RGB && format != TVLM_PIXELS_RGBA)
    return Error(ErrorCode::kInvalidArgument,
                 "format: TVLM_PIXELS_RGB or TVLM_PIXELS_RGBA wanted, %d found",
                 static_cast<int>(format));
  return CheckImageSize(width, height);
}

Status AddPixels(tvlm_session* session, const void* pixels, size_t bytes, tvlm_pixel_format format,
                 size_t width, size_t height, size_t stride, uint32_t flags, uint32_t* image) {
  if (pixels == nullptr && bytes != 0) return NullArgument("pixels");
  TVLM_RETURN_IF_ERROR(CheckPixels(format, width, height, flags, image));
  const size_t channels = static_cast<size_t>(format), row = width * channels;
  if (stride != 0 && stride < row)
    return Error(ErrorCode::kInvalidArgument,
                 "stride: 0 or at least the %zu bytes of a row wanted, %zu found", row, stride);
  const size_t step = stride == 0 ? row : stride;
  uint64_t wanted = 0;
  if (!CheckedMultiply(step, height - 1, &wanted) ||
      __builtin_add_overflow(wanted, uint64_t{row}, &wanted)) {
    return Error(ErrorCode::kInvalidImage,
                 "%zu rows of %zu bytes are more than 64 bits can count, %zu bytes found", height,
                 step, bytes);
  }
  if (stride == 0 ? bytes != wanted : bytes < wanted) {
    return Error(ErrorCode::kInvalidImage,
                 "%zu x %zu %s pixels: %s%" PRIu64 " bytes wanted, %zu found", width, height,
                 channels == 4 ? "rgba" : "rgb", stride == 0 ? "" : "at least ", wanted, bytes);
  }
  const ImageView view{static_cast<const uint8_t*>(pixels), width, height, channels, step};
  TVLM_ASSIGN_OR_RETURN(*image, session->session->AddImage(view, (flags & TVLM_IMAGE_EXACT) != 0));
  return Status();
}

Status AddRows(tvlm_session* session, tvlm_read read, void* user_data, tvlm_pixel_format format,
               size_t width, size_t height, uint32_t flags, uint32_t* image) {
  if (read == nullptr) return NullArgument("a function that reads pixels");
  TVLM_RETURN_IF_ERROR(CheckPixels(format, width, height, flags, image));
  const size_t channels = static_cast<size_t>(format), row = width * channels;
  const RowSource rows = [&](RowSink& sink) {
    const auto read_rows = [&](size_t first, size_t count, uint8_t* to) -> Status {
      if (read(uint64_t{first} * row, to, count * row, user_data) == 0) return Status();
      return Error(ErrorCode::kAborted, "reading the image was ended at its row %zu of %zu", first,
                   height);
    };
    return SendRows(width, height, channels, read_rows, (flags & TVLM_IMAGE_EXACT) != 0, sink);
  };
  TVLM_ASSIGN_OR_RETURN(*image, session->session->AddImage(rows));
  return Status();
}

// ---- answers ------------------------------------------------------------------

Status Ask(tvlm_session* session, const char* request) {
  session->decode_image_ms = std::exchange(session->pending_decode_image_ms, 0);
  TVLM_ASSIGN_OR_RETURN(AskOptions options, ParseRequest(request));
  TVLM_ASSIGN_OR_RETURN(options.constraint,
                        session->constraints.Get(options.response_format, *session->model));
  return session->session->Ask(options);
}

Status Embed(tvlm_session* session, uint32_t image) {
  session->decode_image_ms = std::exchange(session->pending_decode_image_ms, 0);
  return session->session->Embed(image);
}

// `numbers` of a complete embedding, of which `count` gets how many times `each` there are.
const float* Numbers(tvlm_session* session, std::span<const float> numbers, size_t each,
                     size_t* count) {
  const bool complete = !numbers.empty();
  if (count != nullptr) *count = complete ? numbers.size() / each : 0;
  if (complete) return numbers.data();
  Guard(session, [] {
    return Error(ErrorCode::kNotReady,
                 "no embedding is complete: tvlm_session_embed, then tvlm_session_advance until it "
                 "is done");
  });
  return nullptr;
}

Status Advance(tvlm_session* session, double budget_ms, tvlm_run_state* state) {
  if (!(budget_ms >= 0))
    return Error(ErrorCode::kInvalidArgument, "budget: 0 ms or more wanted, %g found", budget_ms);
  TVLM_ASSIGN_OR_RETURN(const RunState reached, session->session->Advance(budget_ms));
  if (state != nullptr) *state = StateOf(reached);
  return Status();
}

// A copy: what there is no memory for is not taken.
std::string TakeText(tvlm_session* session) {
  std::string text(session->session->UntakenText());
  session->session->TakeText();
  return text;
}

// Long enough that a step costs little beside its work.
constexpr double kRunBudgetMs = 50;

// How long to leave a device, or another thread that loads weights, to itself.
constexpr std::chrono::milliseconds kRunPause{1};

Status Run(tvlm_session* session, tvlm_text_callback on_text, void* user_data) {
  for (tvlm_run_state state = TVLM_RUNNING; state != TVLM_DONE;) {
    TVLM_RETURN_IF_ERROR(Advance(session, kRunBudgetMs, &state));
    if (on_text != nullptr) {
      session->text = TakeText(session);
      if (!session->text.empty() &&
          on_text(session->text.c_str(), session->text.size(), user_data) != 0)
        session->session->Cancel();
    }
    if (state == TVLM_WAITING || state == TVLM_BUSY) std::this_thread::sleep_for(kRunPause);
  }
  return Status();
}

// Two lowercase digits a byte.
std::string Hex(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// ---- reports ------------------------------------------------------------------

std::string ModelReport(const tvlm_model* model) {
  JsonWriter report;
  report.Number("state", static_cast<double>(model->state))
      .Number("fileBytes", static_cast<double>(model->file_bytes))
      .Number("receivedBytes", static_cast<double>(model->received_bytes));
  if (Model* const m = model->model.get(); m != nullptr) {
    report.Number("threads", static_cast<double>(m->backend().threads()))
        .String("backend", m->backend().name())
        .String("name", m->name())
        .String("architecture", m->architecture())
        .Number("imageSize", static_cast<double>(m->vision().image_size))
        .Number("imageTokens", static_cast<double>(m->image_tokens()))
        .Bool("hasTokenizer", m->tokenizer() != nullptr)
        .Number("maxContext", static_cast<double>(m->decoder().max_positions))
        .Number("vocabulary", static_cast<double>(m->valid_ids()))
        .Strings("warnings", m->warnings())
        .Number("headerBytes", static_cast<double>(m->file().data_offset));
    if (m->file().chunk_size != 0)
      report.Number("chunkBytes", static_cast<double>(m->file().chunk_size))
          .String("chunkSha256", Hex(m->file().chunk_hashes));
  }
  return report.Finish();
}

std::string ImageReport(const tvlm_session* session, uint32_t image) {
  const auto found = session->image_warnings.find(image);
  const bool has_some = found != session->image_warnings.end();
  return JsonWriter()
      .Strings("warnings", has_some ? found->second : std::vector<std::string>())
      .Finish();
}

std::string SessionReport(const tvlm_session* session) {
  const Session& s = *session->session;
  JsonWriter timings = TimingsReport(s);
  timings.Number("decodeImageMs", session->decode_image_ms);
  JsonWriter report;
  report.String("text", s.text())
      .String("finishReason", FinishReasonName(s.finish_reason()))
      .Object("usage", UsageReport(s))
      .Object("timings", timings);
  if (s.logprobs().wanted()) report.Json("logprobs", LogprobsReport(s));
  return report.Finish();
}

}  // namespace

namespace tinyvlm {

tvlm_model* WrapModel(std::shared_ptr<Model> model) {
  auto wrapped = std::make_unique<tvlm_model>(model->backend().threads());
  wrapped->source = tvlm_model::Source::kWhole;
  wrapped->state = TVLM_LOAD_COMPLETE;
  wrapped->model = std::move(model);
  return wrapped.release();
}

}  // namespace tinyvlm

// ---- version and errors -------------------------------------------------------

uint32_t tvlm_abi_version(void) { return TVLM_ABI_VERSION; }

#define TVLM_QUOTED(text) #text
#define TVLM_TEXT_OF(macro) TVLM_QUOTED(macro)
const char* tvlm_version(void) { return TVLM_TEXT_OF(TINYVLM_VERSION); }

const char* tvlm_code_name(tvlm_code code) { return ErrorCodeName(static_cast<ErrorCode>(code)); }

tvlm_code tvlm_error_code(const tvlm_error* error) {
  return error == nullptr ? TVLM_OK : error->code;
}

const char* tvlm_error_message(const tvlm_error* error) {
  return error == nullptr ? "" : error->message;
}

void tvlm_error_free(tvlm_error* error) {
  if (error == nullptr || error == &kExhaustedError) return;
  delete[] error->message;
  delete error;
}

tvlm_code tvlm_self_test(tvlm_error** error) { return Guard(error, SelfTest); }

// ---- model --------------------------------------------------------------------

tvlm_model* tvlm_model_create(const char* options, tvlm_error** error) {
  tvlm_model* model = nullptr;
  Guard(error, [&]() -> Status {
    TVLM_ASSIGN_OR_RETURN(const ModelOptions parsed, ParseModelOptions(options));
    model = new tvlm_model(parsed.threads);
    return Status();
  });
  return model;
}

void tvlm_model_free(tvlm_model* model) { delete model; }

const char* tvlm_model_error(const tvlm_model* model) {
  return model == nullptr ? "a model wanted, NULL found" : model->error.message();
}

tvlm_code tvlm_model_error_code(const tvlm_model* model) {
  return model == nullptr ? TVLM_INVALID_ARGUMENT : CodeOf(model->error.code());
}

tvlm_code tvlm_model_load_path(tvlm_model* model, const char* path, tvlm_progress progress,
                               void* user_data) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  if (path == nullptr) return Guard(model, [] { return NullArgument("a path"); });
  return Guard(model, [&] {
    return LoadWhole(model, progress, user_data,
                     [path](const LoadOptions& options) { return LoadModel(path, options); });
  });
}

tvlm_code tvlm_model_load_descriptor(tvlm_model* model, int descriptor, uint64_t offset,
                                     uint64_t bytes, tvlm_progress progress, void* user_data) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(model, [&] {
    return LoadWhole(model, progress, user_data, [&](const LoadOptions& options) {
      return LoadModelFromDescriptor(descriptor, offset, bytes, options);
    });
  });
}

tvlm_code tvlm_model_load_memory(tvlm_model* model, const void* file, size_t bytes,
                                 tvlm_progress progress, void* user_data) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  if (file == nullptr)
    return Guard(model, [] { return NullArgument("the bytes of a model file"); });
  return Guard(model, [&] {
    return LoadWhole(model, progress, user_data, [&](const LoadOptions& options) {
      return LoadModelFromMemory({static_cast<const uint8_t*>(file), bytes}, options);
    });
  });
}

void* tvlm_model_reserve(tvlm_model* model, size_t bytes) {
  if (model == nullptr) return nullptr;
  uint8_t* place = nullptr;
  Guard(model, [&] {
    return LoadChunk(model, [&](ModelLoader& loader) -> Status {
      TVLM_ASSIGN_OR_RETURN(place, loader.Reserve(bytes));
      return Status();
    });
  });
  return place;
}

tvlm_code tvlm_model_commit(tvlm_model* model, size_t bytes) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(model, [&] {
    return LoadChunk(model, [bytes](ModelLoader& loader) { return loader.Commit(bytes); });
  });
}

tvlm_code tvlm_model_commit_verified(tvlm_model* model, size_t bytes) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(model, [&] {
    return LoadChunk(model, [bytes](ModelLoader& loader) { return loader.CommitVerified(bytes); });
  });
}

tvlm_code tvlm_model_end(tvlm_model* model) {
  if (model == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(model,
               [&] { return LoadChunk(model, [](ModelLoader& loader) { return loader.End(); }); });
}

tvlm_load_state tvlm_model_state(const tvlm_model* model) {
  return model == nullptr ? TVLM_LOAD_HEADER : model->state;
}

const char* tvlm_model_info(tvlm_model* model, size_t* length) {
  if (model == nullptr) return NoText(length);
  return Written(model, &model->info, length, [model] { return ModelReport(model); });
}

// ---- memory -------------------------------------------------------------------

tvlm_code tvlm_estimate_path(const char* path, const char* model_options,
                             const char* session_options, tvlm_memory_estimate* estimate,
                             tvlm_error** error) {
  return GuardEstimate(estimate, error, [&] {
    return EstimatePath(path, model_options, session_options, estimate);
  });
}

tvlm_code tvlm_estimate_header(const void* prefix, size_t bytes, const char* model_options,
                               const char* session_options, tvlm_memory_estimate* estimate,
                               tvlm_error** error) {
  return GuardEstimate(estimate, error, [&] {
    return EstimatePrefix(prefix, bytes, model_options, session_options, estimate);
  });
}

// ---- session ------------------------------------------------------------------

tvlm_session* tvlm_session_create(tvlm_model* model, const char* options, tvlm_error** error) {
  tvlm_session* created = nullptr;
  Guard(error, [&]() -> Status {
    if (model == nullptr) return NullArgument("a model");
    const std::shared_ptr<Model> loaded = model->Get();
    if (loaded == nullptr)
      return Error(ErrorCode::kNotReady, "the model's header has not arrived yet");
    TVLM_ASSIGN_OR_RETURN(const SessionOptions parsed,
                          ParseSessionOptions(options, loaded->decoder().max_positions));
    auto session = std::make_unique<tvlm_session>(loaded, model->trie);
    TVLM_ASSIGN_OR_RETURN(session->session, Session::Create(loaded, parsed));
    session->info =
        JsonWriter()
            .Number("imageSize", static_cast<double>(session->session->image_size()))
            .Number("imageTokens", static_cast<double>(session->session->image_tokens()))
            .Number("context", static_cast<double>(session->session->context()))
            .Finish();
    created = session.release();
    return Status();
  });
  return created;
}

void tvlm_session_free(tvlm_session* session) { delete session; }

const char* tvlm_session_error(const tvlm_session* session) {
  return session == nullptr ? "a session wanted, NULL found" : session->error.message();
}

tvlm_code tvlm_session_error_code(const tvlm_session* session) {
  return session == nullptr ? TVLM_INVALID_ARGUMENT : CodeOf(session->error.code());
}

const char* tvlm_session_info(tvlm_session* session, size_t* length) {
  return session == nullptr ? NoText(length) : Text(session->info, length);
}

tvlm_code tvlm_session_add_image(tvlm_session* session, const void* file, size_t bytes,
                                 uint32_t flags, uint32_t* image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  if (file == nullptr && bytes != 0)
    return Guard(session, [] { return NullArgument("the bytes of an image"); });
  const std::span<const uint8_t> memory(static_cast<const uint8_t*>(file), bytes);
  return Guard(session, [&] { return AddFile(session, ByteSource(memory), flags, image); });
}

tvlm_code tvlm_session_add_image_from(tvlm_session* session, tvlm_read read, void* user_data,
                                      size_t bytes, uint32_t flags, uint32_t* image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  if (read == nullptr)
    return Guard(session, [] { return NullArgument("a function that reads the image"); });
  return Guard(session, [&] {
    return AddFile(session, ByteSource(bytes, Reader(read, user_data)), flags, image);
  });
}

const char* tvlm_session_image_info(tvlm_session* session, uint32_t image, size_t* length) {
  if (session == nullptr) return NoText(length);
  return Written(session, &session->image_info, length,
                 [&] { return ImageReport(session, image); });
}

const char* tvlm_session_inspect_image_from(tvlm_session* session, tvlm_read read, void* user_data,
                                            size_t bytes, uint32_t flags, size_t* length) {
  if (session == nullptr) return NoText(length);
  const tvlm_code code =
      Guard(session, [&] { return InspectFile(session, read, user_data, bytes, flags); });
  if (code == TVLM_OK) return Text(session->inspected, length);
  NoText(length);
  return nullptr;
}

tvlm_code tvlm_session_add_pixels(tvlm_session* session, const void* pixels, size_t bytes,
                                  tvlm_pixel_format format, size_t width, size_t height,
                                  size_t stride, uint32_t flags, uint32_t* image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(session, [&] {
    return AddPixels(session, pixels, bytes, format, width, height, stride, flags, image);
  });
}

tvlm_code tvlm_session_add_pixels_from(tvlm_session* session, tvlm_read read, void* user_data,
                                       tvlm_pixel_format format, size_t width, size_t height,
                                       uint32_t flags, uint32_t* image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return Guard(session, [&] {
    return AddRows(session, read, user_data, format, width, height, flags, image);
  });
}

tvlm_code tvlm_session_drop_image(tvlm_session* session, uint32_t image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  session->session->DropImage(image);
  session->image_warnings.erase(image);
  return TVLM_OK;
}

tvlm_code tvlm_session_trim(tvlm_session* session) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  session->session->Trim();
  return TVLM_OK;
}

tvlm_code tvlm_session_ask(tvlm_session* session, const char* request) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return GuardAnswer(session, [&] { return Ask(session, request); });
}

tvlm_code tvlm_session_embed(tvlm_session* session, uint32_t image) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return GuardAnswer(session, [&] { return Embed(session, image); });
}

const float* tvlm_session_embedding(tvlm_session* session, size_t* width) {
  if (width != nullptr) *width = 0;
  if (session == nullptr) return nullptr;
  return Numbers(session, session->session->embedding(), 1, width);
}

const float* tvlm_session_embedding_rows(tvlm_session* session, size_t* tokens) {
  if (tokens != nullptr) *tokens = 0;
  if (session == nullptr) return nullptr;
  const Session& s = *session->session;
  return Numbers(session, s.embedded_rows(), s.embedding().size(), tokens);
}

tvlm_code tvlm_session_advance(tvlm_session* session, double budget_ms, tvlm_run_state* state) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return GuardAnswer(session, [&] { return Advance(session, budget_ms, state); });
}

const char* tvlm_session_take_text(tvlm_session* session, size_t* length) {
  if (session == nullptr) return NoText(length);
  return Written(session, &session->text, length, [session] { return TakeText(session); });
}

tvlm_code tvlm_session_run(tvlm_session* session, tvlm_text_callback on_text, void* user_data) {
  if (session == nullptr) return TVLM_INVALID_ARGUMENT;
  return GuardAnswer(session, [&] { return Run(session, on_text, user_data); });
}

void tvlm_session_cancel(tvlm_session* session) {
  if (session != nullptr) session->session->Cancel();
}

const char* tvlm_session_report(tvlm_session* session, size_t* length) {
  if (session == nullptr) return NoText(length);
  return Written(session, &session->report, length, [session] { return SessionReport(session); });
}
