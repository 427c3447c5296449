// Element types of weights with their ggml numbers, which GGUF files store, and the sizes of their
// blocks.
#ifndef TINYVLM_TENSOR_DTYPE_H_
#define TINYVLM_TENSOR_DTYPE_H_

#include <cstdint>

namespace tinyvlm {

// Values are the ggml type numbers of a GGUF file.
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kI64 = 27,
  kBF16 = 30,
};

// Block size of a type. A row of a tensor is a sequence of blocks; its length must be a multiple of
// block_elements.
struct DTypeInfo {
  const char* name;         // "q8_0": the spelling in messages and options
  uint32_t block_elements;  // 1 for plain types
  uint32_t block_bytes;
};

// Null for a number that is not a DType.
const DTypeInfo* FindDTypeInfo(uint32_t ggml_type);

// The name and block size of a type.
const DTypeInfo& GetDTypeInfo(DType type);

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_DTYPE_H_
