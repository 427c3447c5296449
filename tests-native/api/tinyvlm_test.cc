// The C interface: what it checks before the engine sees it, and questions from start to end.
#include "api/tinyvlm.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api/objects.h"
#include "image/decode.h"

namespace tinyvlm {
namespace {

using Catch::Matchers::ContainsSubstring;

// The code of a session that cannot be created, whose error must contain `words`.
tvlm_code RefusedSession(const ModelObject& model, const char* options, const char* words) {
  tvlm_error* error = nullptr;
  const SessionObject session(tvlm_session_create(model.get(), options, &error));
  const ErrorObject owned(error);
  CHECK(session == nullptr);
  CHECK_THAT(std::string(tvlm_error_message(error)), ContainsSubstring(words));
  return tvlm_error_code(error);
}

TEST_CASE("The library says which version it is", "[api]") {
  CHECK(tvlm_abi_version() == TVLM_ABI_VERSION);
  CHECK_THAT(tvlm_version(), Catch::Matchers::Matches("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

TEST_CASE("Codes have the words that users see", "[api]") {
  CHECK(std::string(tvlm_code_name(TVLM_OK)) == "ok");
  CHECK(std::string(tvlm_code_name(TVLM_CONTEXT_FULL)) == "context_full");
  CHECK(std::string(tvlm_code_name(TVLM_ABORTED)) == "aborted");
  CHECK(std::string(tvlm_code_name(static_cast<tvlm_code>(99))) == "internal");
}

TEST_CASE("The self-test passes", "[api]") {
  tvlm_error* error = nullptr;
  const tvlm_code code = tvlm_self_test(&error);
  INFO(tvlm_error_message(error));
  CHECK(code == TVLM_OK);
  CHECK(error == nullptr);
}

TEST_CASE("A question goes from an image's bytes to words and a report", "[api]") {
  ModelObject model = LoadDemo();
  const Json info = InfoOf(model);
  CHECK(*info.Find("imageSize")->int64() == 256);
  CHECK(*info.Find("hasTokenizer")->boolean());
  CHECK(*info.Find("receivedBytes")->int64() == *info.Find("fileBytes")->int64());
  const SessionObject session = CreateSession(model, R"({"context":256})");
  CHECK(*ParseJson(tvlm_session_info(session.get(), nullptr))->Find("context")->int64() == 256);

  const std::string image = std::to_string(AddSample(session, "sample-1.png"));
  REQUIRE(tvlm_session_ask(session.get(),
                           Question("Describe the image.", image, ",\"maxTokens\":32").c_str()) ==
          TVLM_OK);
  const std::string text = Finish(session.get());
  CHECK(text == "A sunflower.");
  const Json report = ReportOf(session);
  CHECK(*report.Find("text")->string() == text);
  CHECK(*report.Find("finishReason")->string() == "stop");
  CHECK(*report.Find("usage")->Find("encodedImages")->int64() == 1);
  CHECK(*report.Find("timings")->Find("decodeImageMs")->number() > 0);

  // A model may be freed before its sessions.
  model.reset();
  REQUIRE(tvlm_session_ask(session.get(), Question("Hello", "", ",\"maxTokens\":1").c_str()) ==
          TVLM_OK);
  Finish(session.get());
  CHECK(*ReportOf(session).Find("usage")->Find("completionTokens")->int64() == 1);
}

TEST_CASE("Running an answer calls back with the text that polling takes", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const std::string request =
      Question("Describe the image.", std::to_string(AddSample(session, "sample-1.png")));
  REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
  std::vector<std::string> pieces;
  const auto keep = [](const char* text, size_t length, void* user_data) {
    static_cast<std::vector<std::string>*>(user_data)->emplace_back(text, length);
    return 0;
  };
  REQUIRE(tvlm_session_run(session.get(), keep, &pieces) == TVLM_OK);
  REQUIRE(pieces.size() > 1);
  std::string whole;
  for (const std::string& piece : pieces) {
    CHECK_FALSE(piece.empty());
    whole += piece;
  }
  CHECK(whole == "A sunflower.");

  // Without a callback the whole answer is in the report.
  REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
  REQUIRE(tvlm_session_run(session.get(), nullptr, nullptr) == TVLM_OK);
  CHECK(*ReportOf(session).Find("text")->string() == "A sunflower.");

  // A callback that returns anything but 0 ends the answer.
  REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
  const auto stop = [](const char* text, size_t length, void* user_data) {
    static_cast<std::string*>(user_data)->append(text, length);
    return 1;
  };
  std::string first;
  REQUIRE(tvlm_session_run(session.get(), stop, &first) == TVLM_OK);
  CHECK(first == pieces[0]);
  CHECK(*ReportOf(session).Find("finishReason")->string() == "cancelled");
}

// What a tvlm_read reads from, and how.
struct Reading {
  std::string bytes;
  size_t calls = 0;
  size_t most = 0;        // bytes of a call
  size_t fails_at = ~0u;  // number of the call that ends the reading
};

int ReadFrom(uint64_t offset, void* to, size_t bytes, void* user_data) {
  Reading* const reading = static_cast<Reading*>(user_data);
  if (reading->calls++ == reading->fails_at) return 7;
  if (offset + bytes > reading->bytes.size()) return 8;
  std::memcpy(to, reading->bytes.data() + offset, bytes);
  reading->most = std::max(reading->most, bytes);
  return 0;
}

TEST_CASE("An image that is read in pieces is the image that is in memory", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const auto encoded_images = [&](uint32_t image) {
    const std::string request =
        Question("Describe the image.", std::to_string(image), ",\"maxTokens\":1");
    REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
    Finish(session.get());
    return *ReportOf(session).Find("usage")->Find("encodedImages")->int64();
  };
  // Images are told apart by their pixels: the second time nothing is encoded.
  CHECK(encoded_images(AddSample(session, "sample-1.png")) == 1);

  Reading file{ReadSample("sample-1.png")};
  uint32_t image = 0;
  REQUIRE(tvlm_session_add_image_from(session.get(), ReadFrom, &file, file.bytes.size(), 0,
                                      &image) == TVLM_OK);
  CHECK(encoded_images(image) == 0);
  CHECK(file.calls > 1);
  CHECK(file.most < 1 << 20);

  const auto decoded =
      DecodeImage({reinterpret_cast<const uint8_t*>(file.bytes.data()), file.bytes.size()}, false);
  REQUIRE(decoded.ok());
  const size_t width = decoded->width(), height = decoded->height();
  Reading pixels{std::string(reinterpret_cast<const char*>(decoded->Row(0)), width * height * 3)};
  REQUIRE(tvlm_session_add_pixels_from(session.get(), ReadFrom, &pixels, TVLM_PIXELS_RGB, width,
                                       height, 0, &image) == TVLM_OK);
  CHECK(encoded_images(image) == 0);
}

TEST_CASE("A caller that stops reading an image is told so, and the session goes on", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  uint32_t image = 77;
  const std::string sample = ReadSample("sample-1.png");
  const auto message = [&] { return std::string(tvlm_session_error(session.get())); };
  for (const size_t call : {0, 1, 2}) {
    Reading file{sample};
    file.fails_at = call;
    CHECK(tvlm_session_add_image_from(session.get(), ReadFrom, &file, sample.size(), 0, &image) ==
          TVLM_ABORTED);
    CHECK(file.calls == call + 1);
    CHECK(message().find("reading the image was ended at its byte") != std::string::npos);
  }
  Reading pixels{std::string(300, 'x')};
  pixels.fails_at = 0;
  CHECK(tvlm_session_add_pixels_from(session.get(), ReadFrom, &pixels, TVLM_PIXELS_RGB, 10, 10, 0,
                                     &image) == TVLM_ABORTED);
  CHECK(message() == "reading the image was ended at its row 0 of 10");

  pixels.fails_at = ~0u;
  const auto code = [&](tvlm_read read, int format, size_t width, uint32_t flags,
                        uint32_t* number) {
    return tvlm_session_add_pixels_from(session.get(), read, &pixels,
                                        static_cast<tvlm_pixel_format>(format), width, 10, flags,
                                        number);
  };
  CHECK(code(nullptr, 3, 10, 0, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(code(ReadFrom, 5, 10, 0, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(code(ReadFrom, 3, 0, 0, &image) == TVLM_INVALID_IMAGE);
  CHECK(code(ReadFrom, 3, 10, 4, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(code(ReadFrom, 3, 10, 0, nullptr) == TVLM_INVALID_ARGUMENT);
  Reading file{sample};
  CHECK(tvlm_session_add_image_from(session.get(), nullptr, &file, 10, 0, &image) ==
        TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_add_image_from(session.get(), ReadFrom, &file, 0, 0, &image) ==
        TVLM_INVALID_IMAGE);
  CHECK(tvlm_session_add_image_from(nullptr, ReadFrom, &file, 10, 0, &image) ==
        TVLM_INVALID_ARGUMENT);
  CHECK(image == 77);
  CHECK(code(ReadFrom, 3, 10, 0, &image) == TVLM_OK);
  CHECK(image == 1);
}

TEST_CASE(
    "A defect that can be drawn over is told of the image, or refused where that is asked for",
    "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  std::string file = ReadSample("sample-1.png");
  const std::string whole = file;
  file.insert(33, std::string("\0\0\0\0tEXt....", 12));  // behind IHDR, with a wrong CRC
  const auto warnings = [](const char* text) {
    REQUIRE(text != nullptr);
    const auto info = ParseJson(text);
    REQUIRE(info.ok());
    return *info->Find("warnings")->array();
  };
  const auto add = [&](const std::string& bytes, uint32_t flags, uint32_t* image) {
    return tvlm_session_add_image(session.get(), bytes.data(), bytes.size(), flags, image);
  };
  uint32_t good = 0, damaged = 0, strict = 0;
  REQUIRE(add(whole, TVLM_IMAGE_STRICT, &good) == TVLM_OK);
  REQUIRE(add(file, 0, &damaged) == TVLM_OK);
  CHECK(add(file, TVLM_IMAGE_STRICT | TVLM_IMAGE_EXACT, &strict) == TVLM_INVALID_IMAGE);
  CHECK(strict == 0);
  size_t length = 0;
  CHECK(warnings(tvlm_session_image_info(session.get(), good, &length)).empty());
  const auto told = warnings(tvlm_session_image_info(session.get(), damaged, &length));
  REQUIRE(told.size() == 1);
  CHECK(told[0].string()->find("the tEXt chunk at byte 33 is damaged") != std::string::npos);
  CHECK(tvlm_session_drop_image(session.get(), damaged) == TVLM_OK);
  CHECK(warnings(tvlm_session_image_info(session.get(), damaged, nullptr)).empty());
  CHECK(std::string(tvlm_session_image_info(nullptr, 1, nullptr)).empty());

  Reading reading{file};
  const auto inspect = [&](uint32_t flags) {
    return tvlm_session_inspect_image_from(session.get(), ReadFrom, &reading, reading.bytes.size(),
                                           flags, &length);
  };
  const std::string report(inspect(0));
  CHECK(report.size() == length);
  CHECK(report.find(R"({"format":"PNG","whole":true,"warnings":["PNG: the tEXt)") == 0);
  CHECK(inspect(TVLM_IMAGE_STRICT) == nullptr);
  CHECK(length == 0);
  CHECK(tvlm_session_error_code(session.get()) == TVLM_INVALID_IMAGE);
  CHECK(inspect(4) == nullptr);
  CHECK(tvlm_session_error_code(session.get()) == TVLM_INVALID_ARGUMENT);
  reading.bytes = "GIF89a and more";
  CHECK(std::string(inspect(0)) == R"({"format":"GIF","whole":true,"warnings":[]})");
  reading.bytes.clear();
  CHECK(inspect(0) == nullptr);
  CHECK(tvlm_session_inspect_image_from(session.get(), nullptr, nullptr, 1, 0, &length) == nullptr);
}

TEST_CASE("Pixels with any stride give the answer that their file gives", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const std::string file = ReadSample("sample-1.png");
  const auto decoded =
      DecodeImage({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, false);
  REQUIRE(decoded.ok());
  const size_t width = decoded->width(), height = decoded->height();
  constexpr size_t kGap = 5;
  for (const size_t channels : {size_t{3}, size_t{4}}) {
    for (const size_t gap : {size_t{0}, kGap}) {
      const size_t stride = width * channels + gap;
      std::vector<uint8_t> pixels(stride * height, 0x5a);
      for (size_t y = 0; y < height; ++y) {
        for (size_t x = 0; x < width; ++x) {
          uint8_t* const to = pixels.data() + y * stride + x * channels;
          std::memcpy(to, decoded->Row(y) + x * 3, 3);
          if (channels == 4) to[3] = 255;
        }
      }
      uint32_t image = 0;
      REQUIRE(tvlm_session_add_pixels(session.get(), pixels.data(), pixels.size(),
                                      static_cast<tvlm_pixel_format>(channels), width, height,
                                      gap == 0 ? 0 : stride, 0, &image) == TVLM_OK);
      REQUIRE(tvlm_session_ask(session.get(),
                               Question("Describe the image.", std::to_string(image)).c_str()) ==
              TVLM_OK);
      CHECK(Finish(session.get()) == "A sunflower.");
      // The same pixels: neither encoded nor computed again.
      const int64_t encoded = *ReportOf(session).Find("usage")->Find("encodedImages")->int64();
      CHECK(encoded == (channels == 3 && gap == 0 ? 1 : 0));
    }
  }
}

TEST_CASE("A conversation names its images, which stay until they are dropped", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"imageSize":128,"resize":"crop"})");
  const auto info = ParseJson(tvlm_session_info(session.get(), nullptr));
  REQUIRE(info.ok());
  CHECK(*info->Find("imageSize")->int64() == 128);
  CHECK(*info->Find("imageTokens")->int64() == 4);
  const std::string image = std::to_string(AddSample(session, "sample-1.png"));
  const std::string first =
      R"({"role":"system","content":""},{"role":"user","content":"Describe the image.","images":[)" +
      image + "]}";
  REQUIRE(tvlm_session_ask(session.get(), ("{\"messages\":[" + first + "]}").c_str()) == TVLM_OK);
  Finish(session.get());
  CHECK(*ReportOf(session).Find("usage")->Find("encodedImages")->int64() == 1);
  const std::string second =
      "{\"messages\":[" + first +
      R"(,{"role":"assistant","content":"A sunflower."},{"role":"user","content":"Are you sure?"}]})";
  REQUIRE(tvlm_session_ask(session.get(), second.c_str()) == TVLM_OK);
  Finish(session.get());
  CHECK(*ReportOf(session).Find("usage")->Find("imageTokens")->int64() == 4);
  CHECK(tvlm_session_drop_image(session.get(), 1) == TVLM_OK);
  CHECK(tvlm_session_ask(session.get(), second.c_str()) == TVLM_INVALID_ARGUMENT);

  const std::pair<const char*, const char*> wrong[] = {
      {R"({"prompt":"a"})", "\"prompt\" is not known"},
      {R"({})", "messages: an array wanted"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":{}})", "an array wanted"},
      {R"({"messages":[1]})", "messages[0]: an object wanted"},
      {R"({"messages":[{"role":"user"}]})", "content"},
      {R"({"messages":[{"role":"tool","content":""}]})", "\"tool\" found"},
      {R"({"messages":[{"role":"user","content":"","photos":[]}]})", "\"photos\" is not known"},
      {R"({"messages":[{"role":"user","content":"","images":["a"]}]})", "an image's number wanted"},
      {R"({"messages":[{"role":"user","content":"","images":[9]}]})", "9 is not an image"},
  };
  for (const auto& [request, words] : wrong) {
    CHECK(tvlm_session_ask(session.get(), request) == TVLM_INVALID_ARGUMENT);
    CHECK(tvlm_session_error_code(session.get()) == TVLM_INVALID_ARGUMENT);
    CHECK_THAT(std::string(tvlm_session_error(session.get())), ContainsSubstring(words));
  }
  CHECK(RefusedSession(model, R"({"resize":"stretch"})", "stretch") == TVLM_INVALID_ARGUMENT);
  CHECK(RefusedSession(model, R"({"imageSize":100})", "imageSize") == TVLM_INVALID_ARGUMENT);
}

TEST_CASE("A session that was trimmed keeps its images and its answer, and can be asked again",
          "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const std::string request =
      Question("Describe the image.", std::to_string(AddSample(session, "sample-1.png")));
  REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
  const std::string text = Finish(session.get());
  CHECK(tvlm_session_trim(session.get()) == TVLM_OK);
  CHECK(*ReportOf(session).Find("text")->string() == text);
  REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
  CHECK(Finish(session.get()) == text);
  CHECK(*ReportOf(session).Find("usage")->Find("encodedImages")->int64() == 1);
}

TEST_CASE("Wrong options and arguments are rejected with a specific error", "[api]") {
  for (const char* options : {static_cast<const char*>(nullptr), "", "[]", "{\"threads\":0}",
                              "{\"threads\":65}", "{\"thread\":1}"}) {
    tvlm_error* error = nullptr;
    const ModelObject model(tvlm_model_create(options, &error));
    const ErrorObject owned(error);
    CHECK(model == nullptr);
    CHECK(tvlm_error_code(error) == TVLM_INVALID_ARGUMENT);
    CHECK_THAT(std::string(tvlm_error_message(error)),
               ContainsSubstring(options != nullptr && options[0] == '{' ? "thread" : "options"));
  }
  CHECK(tvlm_model_create("{\"threads\":0}", nullptr) == nullptr);  // nobody wants the error

  const ModelObject empty = CreateModel();
  CHECK(RefusedSession(empty, "{}", "header") == TVLM_NOT_READY);
  CHECK(tvlm_model_end(empty.get()) == TVLM_INVALID_FILE);
  CHECK(RefusedSession(nullptr, "{}", "a model wanted") == TVLM_INVALID_ARGUMENT);

  const ModelObject model = LoadDemo();
  CHECK(RefusedSession(model, "{\"context\":1e9}", "context") == TVLM_INVALID_ARGUMENT);
  CHECK(RefusedSession(model, "{\"compute\":\"f16\"}", "f16") == TVLM_INVALID_ARGUMENT);
  const SessionObject session = CreateSession(model);
  tvlm_session* const s = session.get();
  tvlm_run_state state = TVLM_RUNNING;
  CHECK(tvlm_session_advance(s, 10, &state) == TVLM_NOT_READY);
  CHECK(tvlm_session_ask(s, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_ask(s, Question("a", "", ",\"temperature\":-1").c_str()) ==
        TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_ask(s, Question("a", "", ",\"stop\":\"b\"").c_str()) == TVLM_INVALID_ARGUMENT);
  REQUIRE(tvlm_session_ask(s, Question("a").c_str()) == TVLM_OK);
  CHECK(tvlm_session_advance(s, -1, &state) == TVLM_INVALID_ARGUMENT);

  uint32_t image = 0;
  const uint8_t zeros[16] = {};
  CHECK(tvlm_session_add_image(s, zeros, sizeof(zeros), 0, &image) == TVLM_INVALID_IMAGE);
  CHECK(tvlm_session_add_image(s, nullptr, 0, 0, &image) == TVLM_INVALID_IMAGE);
  CHECK(tvlm_session_add_image(s, nullptr, 1, 0, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_add_image(s, zeros, sizeof(zeros), 4, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_add_image(s, zeros, sizeof(zeros), 0, nullptr) == TVLM_INVALID_ARGUMENT);
  const auto add = [&](size_t bytes, int format, size_t width, size_t height, size_t stride) {
    return tvlm_session_add_pixels(s, zeros, bytes, static_cast<tvlm_pixel_format>(format), width,
                                   height, stride, 0, &image);
  };
  CHECK(add(16, TVLM_PIXELS_RGBA, 2, 2, 0) == TVLM_OK);
  CHECK(add(15, TVLM_PIXELS_RGBA, 2, 2, 0) == TVLM_INVALID_IMAGE);
  CHECK(add(16, TVLM_PIXELS_RGB, 2, 2, 0) == TVLM_INVALID_IMAGE);
  CHECK(add(16, TVLM_PIXELS_RGBA, 1, 2, 12) == TVLM_OK);  // 12 + 4 bytes
  CHECK(add(15, TVLM_PIXELS_RGBA, 1, 2, 12) == TVLM_INVALID_IMAGE);
  CHECK(add(16, TVLM_PIXELS_RGBA, 2, 2, 7) == TVLM_INVALID_ARGUMENT);
  // of 64 bits twice as much would be nothing
  CHECK(add(16, TVLM_PIXELS_RGB, 1, 3, SIZE_MAX / 2 + 1) == TVLM_INVALID_IMAGE);
  CHECK(add(16, 1, 4, 4, 0) == TVLM_INVALID_ARGUMENT);
  CHECK(add(0, TVLM_PIXELS_RGB, 0, 1, 0) == TVLM_INVALID_IMAGE);
}

TEST_CASE("NULL in place of an object is an error, and freeing it is allowed", "[api]") {
  tvlm_error_free(nullptr);
  tvlm_model_free(nullptr);
  tvlm_session_free(nullptr);
  CHECK(tvlm_error_code(nullptr) == TVLM_OK);
  CHECK(std::string(tvlm_error_message(nullptr)).empty());
  CHECK(tvlm_model_load_path(nullptr, "a", nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_load_descriptor(nullptr, 0, 0, 0, nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_load_memory(nullptr, "a", 1, nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_reserve(nullptr, 1) == nullptr);
  CHECK(tvlm_model_commit(nullptr, 1) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_end(nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_model_error_code(nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK_THAT(std::string(tvlm_model_error(nullptr)), ContainsSubstring("NULL"));
  size_t length = 7;
  CHECK(std::string(tvlm_model_info(nullptr, &length)).empty());
  CHECK(length == 0);
  uint32_t image = 0;
  CHECK(tvlm_session_add_image(nullptr, "a", 1, 0, &image) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_drop_image(nullptr, 1) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_trim(nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_ask(nullptr, "{}") == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_advance(nullptr, 1, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_run(nullptr, nullptr, nullptr) == TVLM_INVALID_ARGUMENT);
  CHECK_THAT(std::string(tvlm_session_error(nullptr)), ContainsSubstring("NULL"));
  tvlm_session_cancel(nullptr);
  CHECK(std::string(tvlm_session_report(nullptr, nullptr)).empty());
  CHECK(std::string(tvlm_session_take_text(nullptr, nullptr)).empty());
}

TEST_CASE("Two sessions keep errors of their own", "[api]") {
  const ModelObject model = LoadDemo();
  const SessionObject a = CreateSession(model), b = CreateSession(model);
  CHECK(tvlm_session_ask(a.get(), "{\"one\":1}") == TVLM_INVALID_ARGUMENT);
  const std::string first = tvlm_session_error(a.get());
  CHECK(tvlm_session_ask(b.get(), "{\"two\":1}") == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_error(a.get()) == first);
  CHECK_THAT(std::string(tvlm_session_error(b.get())), ContainsSubstring("two"));
  CHECK(std::string(tvlm_model_error(model.get())).empty());
}

}  // namespace
}  // namespace tinyvlm
