// The definition of each weight format: scalar quantise and dequantise of whole blocks, byte for
// byte as ggml's reference writes and reads them (docs/model-file.md). Kernels with lanes are held
// against these.
#ifndef TINYVLM_TENSOR_QUANT_H_
#define TINYVLM_TENSOR_QUANT_H_

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tinyvlm {

// Values of `count` elements (whole blocks) as f32. Every float type; not kI64.
void DequantizeRow(DType type, const uint8_t* data, size_t count, float* values);

// True for the types that QuantizeRow writes: all float types but the K-quants, which are only
// read.
bool CanQuantize(DType type);

// The reverse, for finite values. `data` receives count / block_elements blocks.
void QuantizeRow(DType type, const float* values, size_t count, uint8_t* data);

}  // namespace tinyvlm

#endif  // TINYVLM_TENSOR_QUANT_H_
