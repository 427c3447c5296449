// The demo model of the repository, for tests that need a whole model in a clone without shared
// data.
#ifndef TINYVLM_TESTS_DEMO_MODEL_H_
#define TINYVLM_TESTS_DEMO_MODEL_H_

#include <string>

inline std::string DemoModelPath() {
  return std::string(TINYVLM_SOURCE_DIR) + "/model/tiny-vlm-demo.gguf";
}

inline std::string SamplePath(const std::string& name) {
  return std::string(TINYVLM_SOURCE_DIR) + "/examples-web/samples/" + name;
}

#endif  // TINYVLM_TESTS_DEMO_MODEL_H_
