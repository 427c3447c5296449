// ONNX operator cases: a model of one node (or a few), its inputs and its expected outputs, read
// from protobuf.
#ifndef TINYVLM_TESTS_ONNX_ONNX_MODEL_H_
#define TINYVLM_TESTS_ONNX_ONNX_MODEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tinyvlm::onnx {

enum class ElementType {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kFloat16 = 10,
  kBfloat16 = 16
};

// Elements are in `floats` for kFloat, in `integers` for every other type: bit patterns of the
// 16-bit floats.
struct Tensor {
  int64_t type = 0;  // ElementType, or another of ONNX's numbers: then both lists are empty
  std::vector<size_t> shape;
  std::vector<float> floats;
  std::vector<int64_t> integers;

  bool Is(ElementType wanted) const { return type == static_cast<int64_t>(wanted); }
  size_t elements() const;
};

struct Attribute {
  float f = 0;
  int64_t i = 0;
  std::string s;
  Tensor t;
  std::vector<int64_t> ints;
};

struct Node {
  std::string type;
  std::vector<std::string> inputs, outputs;  // an empty name: an optional one that is left out
  std::map<std::string, Attribute> attributes;
};

struct Case {
  std::vector<Node> nodes;
  std::map<std::string, Tensor> tensors;  // initializers and inputs, by name
  std::vector<Tensor> outputs;            // expected
};

// Reads a case's folder: model.onnx and test_data_set_0/{input,output}_N.pb.
Result<Case> ReadCase(const std::string& folder);

// The parser of a TensorProto and of a ModelProto (into nodes and initializers; `inputs` gets the
// names of the graph's other inputs). Errors: invalid_file.
Result<Tensor> ParseTensor(std::string_view bytes);
Status ParseModel(std::string_view bytes, Case* c, std::vector<std::string>* inputs);

}  // namespace tinyvlm::onnx

#endif  // TINYVLM_TESTS_ONNX_ONNX_MODEL_H_
