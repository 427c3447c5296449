// A checkpoint folder, converted and loaded, for the tests that hold the whole path against the
// reference.
#ifndef TINYVLM_TESTS_GOLDEN_CONVERTED_MODEL_H_
#define TINYVLM_TESTS_GOLDEN_CONVERTED_MODEL_H_

#include <memory>
#include <string>

#include "catch_amalgamated.hpp"
#include "cli/commands.h"
#include "convert/convert.h"
#include "engine/model_file.h"
#include "temp_folder.h"

namespace tinyvlm {

// Fails the test, with the engine's own sentence, where the folder cannot be converted or its model
// not loaded.
inline std::shared_ptr<Model> ConvertAndLoad(const std::string& checkpoint, DType type,
                                             bool tokenizer) {
  const TempFolder temp;
  ConvertOptions options;
  options.checkpoint = checkpoint;
  options.output = temp.File("model.gguf");
  options.type = type;
  options.tokenizer = tokenizer;
  const Status converted = Convert(options, {});
  INFO(converted.message());
  REQUIRE(converted.ok());
  const auto model = LoadModel(options.output, DefaultThreads());
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_GOLDEN_CONVERTED_MODEL_H_
