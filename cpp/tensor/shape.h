// Tensor dimensions with overflow-checked products.
#ifndef TINYVLM_TENSOR_SHAPE_H_
#define TINYVLM_TENSOR_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace tinyvlm {

// *product = a * b; false if it does not fit in 64 bits.
inline bool CheckedMultiply(uint64_t a, uint64_t b, uint64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

// Dimensions, outermost first (PyTorch order; GGUF's ne is the reverse): a matrix of N rows of
// length K is {N, K}.
using Shape = std::vector<uint64_t>;

// "[96, 3, 3, 3]", for error messages.
std::string ShapeToString(const Shape& shape);

// Number of elements; an error if the product overflows. An empty shape is a scalar: 1.
Result<uint64_t> ElementCount(const Shape& shape);

// Bytes of a tensor of this shape and type; an error if a row is not whole blocks or the product
// overflows.
Result<uint64_t> ByteCount(const Shape& shape, DType type);

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_SHAPE_H_
