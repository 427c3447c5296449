// A named tensor as a file describes it, and a borrowed view of its bytes.
#ifndef TINYVLM_TENSOR_TENSOR_H_
#define TINYVLM_TENSOR_TENSOR_H_

#include <cstdint>
#include <string>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tinyvlm {

// What the header of a file says of one tensor. Checked by the parser: the byte count follows from
// shape and type, lies inside the file and overlaps no other tensor.
struct TensorInfo {
  std::string name;
  DType type = DType::kF32;
  Shape shape;          // outermost first
  uint64_t offset = 0;  // from the start of the data section
  uint64_t bytes = 0;
};

// Bytes that somebody else owns, with their type and shape. Valid as long as the owner keeps them.
struct TensorView {
  DType type = DType::kF32;
  Shape shape;
  const uint8_t* data = nullptr;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_TENSOR_H_
