// exit_program MODEL MILLISECONDS: returns from main while another thread answers.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "api/tinyvlm.h"

namespace {

// As in a program that keeps its model: what `exit` leaves alive is not a leak. Volatile, because
// the optimiser would see that nothing reads `model` again and keep it nowhere.
tvlm_model* volatile model;
tvlm_session* volatile session;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  model = tvlm_model_create("{\"threads\":2}", nullptr);
  if (tvlm_model_load_path(model, argv[1], nullptr, nullptr) != TVLM_OK) return 3;
  session = tvlm_session_create(model, "{}", nullptr);
  static std::atomic<bool> answering{false};
  std::thread([] {
    for (;;) {
      tvlm_session_ask(session,
                       "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell a long story.\"}],"
                       "\"temperature\":5,\"maxTokens\":2000}");
      const auto begun = [](const char*, size_t, void*) {
        answering = true;
        return 0;
      };
      tvlm_session_run(session, begun, nullptr);
    }
  }).detach();
  while (!answering) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(argv[2])));
  return 0;
}
