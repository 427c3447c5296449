// A named tensor as described by a file, and a borrowed view of its bytes.
#ifndef TINYVLM_TENSOR_TENSOR_H_
#define TINYVLM_TENSOR_TENSOR_H_

#include <cstdint>
#include <string>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tinyvlm {

// The description of one tensor in the header of a file. The parser has checked that `bytes` fits
// shape and type, and that they are inside the file and overlap no other tensor.
struct TensorInfo {
  std::string name;
  DType type = DType::kF32;
  Shape shape;          // outermost dimension first
  uint64_t offset = 0;  // bytes from the start of the data section
  uint64_t bytes = 0;
};

// Borrowed bytes with their type and shape. Valid as long as the owner keeps them.
struct TensorView {
  DType type = DType::kF32;
  Shape shape;
  const uint8_t* data = nullptr;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_TENSOR_H_
