// A conversion that is quick enough to be done again for each of its operations.
#ifndef TINYVLM_TESTS_FAULTS_TINY_CONVERSION_H_
#define TINYVLM_TESTS_FAULTS_TINY_CONVERSION_H_

#include <string>

#include "convert/convert.h"
#include "shared_data.h"

namespace tinyvlm {

inline ConvertOptions TinyConversion(const std::string& output) {
  ConvertOptions options;
  options.checkpoint = GoldenPath("t0-hf").string();
  options.output = output;
  options.type = DType::kQ8_0;
  options.tokenizer = false;
  return options;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FAULTS_TINY_CONVERSION_H_
