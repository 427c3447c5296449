// Every allocation fails in turn, alone and with all that follow: the call says out_of_memory or
// does its work, what is left can be used and gives the answer that it gives otherwise, and nothing
// is leaked.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "api/guard.h"
#include "api/objects.h"
#include "convert/convert.h"
#include "engine/text_model_file.h"
#include "faults/each_fault.h"
#include "faults/tiny_conversion.h"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

constexpr const char* kSession = R"({"context":192,"imageSize":64})";

// What an answer takes from the C interface; the test's own strings are not counted.
tvlm_code Answer(Injection& injection, tvlm_session* session, const std::string& request,
                 std::string* text) {
  tvlm_code code = injection.Call([&] { return tvlm_session_ask(session, request.c_str()); });
  text->clear();
  for (tvlm_run_state state = TVLM_RUNNING; code == TVLM_OK && state != TVLM_DONE;)
    code = injection.Call([&] { return tvlm_session_advance(session, 1000, &state); });
  if (code != TVLM_OK) return code;
  size_t length = 0;
  const char* const taken =
      injection.Call([&] { return tvlm_session_take_text(session, &length); });
  text->assign(taken, length);
  return TVLM_OK;
}

std::string QuietAnswer(tvlm_session* session, const std::string& request) {
  Injection quiet(Fault::kAllocation, Injection::kNever, false);
  std::string text;
  const tvlm_code code = Answer(quiet, session, request, &text);
  INFO(tvlm_session_error(session));
  REQUIRE(code == TVLM_OK);
  return text;
}

// A session whose calls fail: it is made without faults, and asked once more after each.
struct Asked {
  ModelObject model = LoadDemo();
  SessionObject session;
  std::string request, text;

  // `work` fails in turn; afterwards the same session answers `request` as it does otherwise.
  template <typename Work>
  void Each(const char* name, const std::string& more, bool with_image, const Work& work) {
    const auto prepare = [&] {
      session = CreateSession(model, kSession);
      const uint32_t image = with_image ? AddSample(session, "sample-1.png") : 0;
      request = Question("What is this?", with_image ? std::to_string(image) : "", more);
    };
    prepare();
    const std::string quiet = QuietAnswer(session.get(), request);
    CHECK(!quiet.empty());
    session = nullptr;
    const size_t live = LiveAllocations();
    EachFault(
        name, Fault::kAllocation, TVLM_OUT_OF_MEMORY,
        [&](Injection& injection) {
          prepare();
          const tvlm_code code = work(injection);
          if (code != TVLM_OK) {
            CHECK(tvlm_session_error_code(session.get()) == TVLM_OUT_OF_MEMORY);
            CHECK(std::string(tvlm_session_error(session.get())).find("memory") !=
                  std::string::npos);
          }
          return code;
        },
        [&](tvlm_code) {
          REQUIRE(QuietAnswer(session.get(), request) == quiet);
          session = nullptr;
          request = text = std::string();
          request.shrink_to_fit();
          text.shrink_to_fit();
          REQUIRE(LiveAllocations() == live);
        });
  }
};

TEST_CASE("A model whose loading finds no memory says so, and the next one loads",
          "[faults][allocation]") {
  const std::string path = DemoModelPath();
  const Result<std::string> file = ReadTextFile(path, 16 << 20);
  REQUIRE(file.ok());
  std::string quiet;
  {
    const ModelObject model = LoadDemo();
    quiet = QuietAnswer(CreateSession(model, kSession).get(), Question("Hello?"));
  }
  const size_t live = LiveAllocations();
  const size_t descriptors = OpenDescriptors();

  tvlm_model* model = nullptr;
  size_t checked = 0;
  const auto load = [&](Injection& injection, const auto& body) {
    tvlm_error* error = nullptr;
    model = injection.Call([&] { return tvlm_model_create(R"({"threads":2})", &error); });
    if (model == nullptr) {
      const tvlm_code code = tvlm_error_code(error);
      CHECK(std::string(tvlm_error_message(error)).find("memory") != std::string::npos);
      tvlm_error_free(error);
      return code;
    }
    const tvlm_code code = body(model);
    if (code != TVLM_OK) CHECK(tvlm_model_error_code(model) == code);
    // A report costs memory, too.
    size_t length = 0;
    const char* const info = injection.Call([&] { return tvlm_model_info(model, &length); });
    if (length == 0) CHECK(tvlm_model_error_code(model) == TVLM_OUT_OF_MEMORY);
    CHECK(info[length] == '\0');
    return code;
  };
  const auto check = [&](tvlm_code code) {
    if (code == TVLM_OK && checked++ % 16 == 0) {
      const ModelObject owned(std::exchange(model, nullptr));
      REQUIRE(QuietAnswer(CreateSession(owned, kSession).get(), Question("Hello?")) == quiet);
    }
    tvlm_model_free(std::exchange(model, nullptr));
    REQUIRE(LiveAllocations() == live);
    REQUIRE(OpenDescriptors() == descriptors);
  };
  const auto each = [&](const char* name, const auto& body) {
    EachFault(
        name, Fault::kAllocation, TVLM_OUT_OF_MEMORY,
        [&](Injection& injection) {
          return load(injection, [&](tvlm_model* m) { return body(injection, m); });
        },
        check);
  };

  each("load: path", [&](Injection& injection, tvlm_model* m) {
    return injection.Call([&] { return tvlm_model_load_path(m, path.c_str(), nullptr, nullptr); });
  });
  each("load: memory", [&](Injection& injection, tvlm_model* m) {
    return injection.Call(
        [&] { return tvlm_model_load_memory(m, file->data(), file->size(), nullptr, nullptr); });
  });
  each("load: descriptor", [&](Injection& injection, tvlm_model* m) {
    std::FILE* const held = std::fopen(path.c_str(), "rb");
    const tvlm_code code = injection.Call([&] {
      return tvlm_model_load_descriptor(m, fileno(held), 0, file->size(), nullptr, nullptr);
    });
    std::fclose(held);
    return code;
  });
  each("load: chunks", [&](Injection& injection, tvlm_model* m) {
    constexpr size_t kPiece = 1 << 20;
    for (size_t at = 0; at < file->size();) {
      const size_t bytes = std::min(kPiece, file->size() - at);
      void* const place = injection.Call([&] { return tvlm_model_reserve(m, bytes); });
      if (place == nullptr) return tvlm_model_error_code(m);
      std::memcpy(place, file->data() + at, bytes);
      const tvlm_code code = injection.Call([&] { return tvlm_model_commit(m, bytes); });
      if (code != TVLM_OK) {
        // It stays failed.
        CHECK(tvlm_model_reserve(m, 1) == nullptr);
        CHECK(tvlm_model_error_code(m) == TVLM_OUT_OF_MEMORY);
        return code;
      }
      at += bytes;
    }
    return injection.Call([&] { return tvlm_model_end(m); });
  });
}

TEST_CASE("A small model of another writer, loaded without memory", "[faults][allocation]") {
  const std::vector<uint8_t> file = Write(RandomModel({DType::kQ8_0, DType::kF16, DType::kQ5_0}));
  const size_t live = LiveAllocations();
  tvlm_model* model = nullptr;
  EachFault(
      "load: third-party file", Fault::kAllocation, TVLM_OUT_OF_MEMORY,
      [&](Injection& injection) {
        model = injection.Call([] { return tvlm_model_create("{}", nullptr); });
        if (model == nullptr) return TVLM_OUT_OF_MEMORY;
        return injection.Call([&] {
          return tvlm_model_load_memory(model, file.data(), file.size(), nullptr, nullptr);
        });
      },
      [&](tvlm_code) {
        tvlm_model_free(std::exchange(model, nullptr));
        REQUIRE(LiveAllocations() == live);
      });
}

TEST_CASE("An estimate without memory", "[faults][allocation]") {
  const std::string path = DemoModelPath();
  const size_t live = LiveAllocations();
  tvlm_memory_estimate estimate;
  EachFault(
      "estimate", Fault::kAllocation, TVLM_OUT_OF_MEMORY,
      [&](Injection& injection) {
        tvlm_error* error = nullptr;
        const tvlm_code code = injection.Call(
            [&] { return tvlm_estimate_path(path.c_str(), "{}", kSession, &estimate, &error); });
        CHECK(tvlm_error_code(error) == code);
        tvlm_error_free(error);
        return code;
      },
      [&](tvlm_code) { REQUIRE(LiveAllocations() == live); });
}

TEST_CASE("A session that cannot be created", "[faults][allocation]") {
  const ModelObject model = LoadDemo();
  const size_t live = LiveAllocations();
  tvlm_session* session = nullptr;
  EachFault(
      "session: create", Fault::kAllocation, TVLM_OUT_OF_MEMORY,
      [&](Injection& injection) {
        tvlm_error* error = nullptr;
        session =
            injection.Call([&] { return tvlm_session_create(model.get(), kSession, &error); });
        const tvlm_code code = tvlm_error_code(error);
        CHECK((session == nullptr) == (code != TVLM_OK));
        tvlm_error_free(error);
        return code;
      },
      [&](tvlm_code) {
        tvlm_session_free(std::exchange(session, nullptr));
        REQUIRE(LiveAllocations() == live);
      });
}

TEST_CASE("A session in which memory runs out answers the next question", "[faults][allocation]") {
  Asked asked;
  const std::string short_answer = R"(,"maxTokens":6)";
  const auto ask = [&](Injection& injection) {
    return Answer(injection, asked.session.get(), asked.request, &asked.text);
  };
  SECTION("a question") { asked.Each("ask: text", short_answer, false, ask); }
  SECTION("a question about an image") { asked.Each("ask: image", short_answer, true, ask); }
  SECTION("a conversation") {
    asked.Each("ask: second question", short_answer, true, [&](Injection& injection) {
      const std::string first = QuietAnswer(asked.session.get(), asked.request);
      Result<std::string> said = std::string();
      AppendJsonString(first, &*said);
      const std::string second =
          R"({"messages":[{"role":"user","content":"What is this?","images":[1]},)"
          R"({"role":"assistant","content":)" +
          *said + R"(},{"role":"user","content":"And now?"}],"maxTokens":4})";
      return Answer(injection, asked.session.get(), second, &asked.text);
    });
  }
  SECTION("all options") {
    asked.Each("ask: options, logprobs, report",
               R"(,"maxTokens":6,"logprobs":3,"temperature":0.8,"topK":5,"seed":3,)"
               R"("repetitionPenalty":1.2,"stop":["zz","qq"])",
               false, [&](Injection& injection) {
                 tvlm_code code = ask(injection);
                 if (code != TVLM_OK) return code;
                 size_t length = 0;
                 injection.Call([&] { tvlm_session_report(asked.session.get(), &length); });
                 return length != 0 ? TVLM_OK : tvlm_session_error_code(asked.session.get());
               });
  }
  SECTION("an answer of a form") {
    asked.Each("ask: JSON schema",
               R"(,"maxTokens":24,"responseFormat":{"schema":{"type":"object",)"
               R"("properties":{"a":{"enum":["one","two"]},"n":{"type":"integer","minimum":3,)"
               R"("maximum":12}},"required":["a","n"],"additionalProperties":false}})",
               false, ask);
  }
  SECTION("an embedding") {
    asked.Each("embed", short_answer, true, [&](Injection& injection) {
      tvlm_session* const session = asked.session.get();
      tvlm_code code = injection.Call([&] { return tvlm_session_embed(session, 1); });
      for (tvlm_run_state state = TVLM_RUNNING; code == TVLM_OK && state != TVLM_DONE;)
        code = injection.Call([&] { return tvlm_session_advance(session, 1000, &state); });
      return code;
    });
  }
  SECTION("images") {
    const std::string png = ReadSample("sample-1.png"), jpeg = ReadSample("sample-1-1024.jpg"),
                      damaged = jpeg.substr(0, jpeg.size() / 2);  // has a warning, which is kept
    const auto add = [&](const std::string& bytes) {
      return [&](Injection& injection) {
        uint32_t image = 0;
        const tvlm_code code = injection.Call([&] {
          return tvlm_session_add_image(asked.session.get(), bytes.data(), bytes.size(), 0, &image);
        });
        if (code != TVLM_OK) return code;
        size_t length = 0;
        injection.Call([&] { tvlm_session_image_info(asked.session.get(), image, &length); });
        return length != 0 ? TVLM_OK : tvlm_session_error_code(asked.session.get());
      };
    };
    asked.Each("image: PNG", short_answer, true, add(png));
    asked.Each("image: JPEG", short_answer, true, add(jpeg));
    asked.Each("image: truncated JPEG", short_answer, true, add(damaged));
    const std::vector<uint8_t> pixels(640 * 480 * 4, 90);
    asked.Each("image: pixels", short_answer, true, [&](Injection& injection) {
      uint32_t image = 0;
      return injection.Call([&] {
        return tvlm_session_add_pixels(asked.session.get(), pixels.data(), pixels.size(),
                                       TVLM_PIXELS_RGBA, 640, 480, 0, 0, &image);
      });
    });
  }
}

TEST_CASE("A conversion without memory leaves no file", "[faults][allocation]") {
  const TempFolder temp;
  const ConvertOptions options = TinyConversion(temp.File("model.gguf"));
  const std::string partial = FileWriter::PartialPath(options.output);
  const size_t descriptors = OpenDescriptors();
  const size_t live = LiveAllocations();
  std::optional<uint64_t> whole;
  EachFault(
      "convert", Fault::kAllocation, TVLM_OUT_OF_MEMORY,
      [&](Injection& injection) {
        return injection.Call([&] {
          return Guarded([&] { return static_cast<tvlm_code>(Convert(options, {}).code()); },
                         [] { return TVLM_OUT_OF_MEMORY; });
        });
      },
      [&](tvlm_code code) {
        CHECK(!IsFile(partial));
        const std::optional<uint64_t> bytes = FileBytes(options.output);
        if (!whole.has_value()) whole = bytes;
        CHECK(bytes.has_value() == (code == TVLM_OK));
        if (bytes.has_value()) CHECK(bytes == whole);
        unlink(options.output.c_str());
        REQUIRE(LiveAllocations() == live);
        REQUIRE(OpenDescriptors() == descriptors);
      });
}

}  // namespace
}  // namespace tinyvlm
