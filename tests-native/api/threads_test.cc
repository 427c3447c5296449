// What the C interface promises to programs with threads. Run under ThreadSanitizer, too.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "api/objects.h"

namespace tinyvlm {
namespace {

constexpr const char* kSamples[] = {"sample-1.png", "sample-2.png", "sample-3.png"};

// The answer about a sample of a session that is made here; an error is what it returns. Makes no
// assertion: those are for one thread only.
std::string AskAbout(tvlm_model* model, const char* sample) {
  const auto bytes = ReadTextFile(SamplePath(sample), 1 << 20);
  if (!bytes.ok()) return bytes.status().message();
  tvlm_error* error = nullptr;
  const SessionObject session(tvlm_session_create(model, "{}", &error));
  const ErrorObject owned(error);
  if (session == nullptr) return tvlm_error_message(error);
  uint32_t image = 0;
  if (tvlm_session_add_image(session.get(), bytes->data(), bytes->size(), 0, &image) != TVLM_OK ||
      tvlm_session_ask(session.get(),
                       Question("Describe the image.", std::to_string(image)).c_str()) != TVLM_OK) {
    return tvlm_session_error(session.get());
  }
  return Finish(session.get(), 1);
}

// Likewise of a model that is made here.
std::string LoadAndAsk(const char* options, const char* sample) {
  tvlm_error* error = nullptr;
  const ModelObject model(tvlm_model_create(options, &error));
  const ErrorObject owned(error);
  if (model == nullptr) return tvlm_error_message(error);
  if (tvlm_model_load_path(model.get(), DemoModelPath().c_str(), nullptr, nullptr) != TVLM_OK)
    return tvlm_model_error(model.get());
  return AskAbout(model.get(), sample);
}

// What each sample's answer is, one after the other on one thread.
std::vector<std::string> SequentialAnswers() {
  const ModelObject model = LoadDemo();
  std::vector<std::string> answers;
  for (const char* sample : kSamples) answers.push_back(AskAbout(model.get(), sample));
  REQUIRE(answers[0] == "A sunflower.");
  return answers;
}

// Runs `work(i)` on a thread for each sample, all of them from the same moment on.
template <typename Work>
std::vector<std::string> OnThreads(const Work& work) {
  std::vector<std::string> results(std::size(kSamples));
  std::atomic<size_t> ready{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < results.size()) std::this_thread::yield();
      results[i] = work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

TEST_CASE("Models on different threads do not disturb each other", "[api][threads]") {
  const std::vector<std::string> want = SequentialAnswers();
  for (const char* options : {"{\"threads\":1}", "{\"threads\":2}"})
    CHECK(OnThreads([&](size_t i) { return LoadAndAsk(options, kSamples[i]); }) == want);
}

TEST_CASE("Sessions of one model run on different threads", "[api][threads]") {
  const std::vector<std::string> want = SequentialAnswers();
  for (const char* options : {"{\"threads\":1}", "{\"threads\":2}"}) {
    const ModelObject model = LoadDemo(options);
    CHECK(OnThreads([&](size_t i) { return AskAbout(model.get(), kSamples[i]); }) == want);
  }
}

TEST_CASE("A model may be freed while its sessions run elsewhere", "[api][threads]") {
  const std::vector<std::string> want = SequentialAnswers();
  ModelObject model = LoadDemo("{\"threads\":2}");
  const SessionObject session = CreateSession(model);
  const std::string image = std::to_string(AddSample(session, kSamples[0]));
  REQUIRE(tvlm_session_ask(session.get(), Question("Describe the image.", image).c_str()) ==
          TVLM_OK);
  std::string answer;
  std::thread other([&] { answer = Finish(session.get(), 1); });
  model.reset();
  other.join();
  CHECK(answer == want[0]);
}

TEST_CASE("An answer is cancelled from another thread", "[api][threads]") {
  const ModelObject model = LoadDemo("{\"threads\":2}");
  const SessionObject session = CreateSession(model);
  // No stop: as long as the context lasts.
  const std::string request =
      Question("Tell a long story.", "", ",\"temperature\":5,\"maxTokens\":2000");
  for (int round = 0; round < 5; ++round) {
    REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
    std::atomic<size_t> pieces{0};
    tvlm_code code = TVLM_INTERNAL;
    std::thread other([&] {
      const auto count = [](const char*, size_t, void* user_data) {
        ++*static_cast<std::atomic<size_t>*>(user_data);
        return 0;
      };
      code = tvlm_session_run(session.get(), count, &pieces);
    });
    while (pieces < 3) std::this_thread::yield();
    const auto cancelled = std::chrono::steady_clock::now();
    tvlm_session_cancel(session.get());
    other.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - cancelled;
    CHECK(code == TVLM_OK);
    CHECK(took.count() < 2);  // of a busy machine; the answer itself would take longer
    CHECK(*ReportOf(session).Find("finishReason")->string() == "cancelled");
  }
  // The session goes on as if nothing had been.
  CHECK(AskAbout(model.get(), kSamples[0]) == "A sunflower.");
  const std::string image = std::to_string(AddSample(session, kSamples[0]));
  REQUIRE(tvlm_session_ask(session.get(), Question("Describe the image.", image).c_str()) ==
          TVLM_OK);
  CHECK(Finish(session.get()) == "A sunflower.");
}

TEST_CASE("An embedding is cancelled from another thread", "[api][threads]") {
  const ModelObject model = LoadDemo("{\"threads\":2}");
  // Large enough to take a while.
  const SessionObject session = CreateSession(model, "{\"imageSize\":1024}");
  const uint32_t image = AddSample(session, "sample-1-1024.jpg");
  REQUIRE(tvlm_session_embed(session.get(), image) == TVLM_OK);
  tvlm_code code = TVLM_INTERNAL;
  std::thread other([&] { code = tvlm_session_run(session.get(), nullptr, nullptr); });
  tvlm_session_cancel(session.get());
  other.join();
  CHECK(code == TVLM_OK);
  CHECK(*ReportOf(session).Find("finishReason")->string() == "cancelled");
  CHECK(tvlm_session_embedding(session.get(), nullptr) == nullptr);
  // The session goes on as if nothing had been.
  REQUIRE(tvlm_session_embed(session.get(), image) == TVLM_OK);
  CHECK(*ReportOf(session).Find("usage")->Find("encodedImages")->number() == 1);
  REQUIRE(tvlm_session_run(session.get(), nullptr, nullptr) == TVLM_OK);
  CHECK(tvlm_session_embedding(session.get(), nullptr) != nullptr);
}

TEST_CASE("A process may exit while another thread answers", "[api][threads]") {
  for (int round = 0; round < 40; ++round) {
    const std::string delay_ms = std::to_string(round);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
#if defined(TINYVLM_EMULATOR)  // the system does not start programs for another processor
      execl(TINYVLM_EMULATOR, TINYVLM_EMULATOR, TINYVLM_EXIT_PROGRAM, DemoModelPath().c_str(),
            delay_ms.c_str(), nullptr);
#else
      execl(TINYVLM_EXIT_PROGRAM, TINYVLM_EXIT_PROGRAM, DemoModelPath().c_str(), delay_ms.c_str(),
            nullptr);
#endif
      _exit(127);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    INFO("exit after " << delay_ms << " ms");
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace
}  // namespace tinyvlm
