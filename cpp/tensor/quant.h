// The definition of each weight format: scalar quantise and dequantise of whole blocks, byte for
// byte as ggml's reference writes and reads them (docs/model-file.md). SIMD kernels are tested
// against these.
#ifndef TINYVLM_TENSOR_QUANT_H_
#define TINYVLM_TENSOR_QUANT_H_

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tinyvlm {

// Converts `count` elements (whole blocks) to f32. Every type but kI64.
void DequantizeRow(DType type, const uint8_t* data, size_t count, float* values);

// True for the types that QuantizeRow can write: all but kI64 and the K-quants, which this engine
// only reads.
bool CanQuantize(DType type);

// The reverse, for finite values. `data` has room for count / block_elements blocks.
void QuantizeRow(DType type, const float* values, size_t count, uint8_t* data);

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_QUANT_H_
