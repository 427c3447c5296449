// Weights in the order that the matrix kernels read. Packing permutes a tensor inside its own
// bytes: no second copy ever exists.
//
// A panel is 16 consecutive rows of B[N, K] (16 outputs, the lanes of the kernels):
//   F32, F16, BF16   [k][16 rows]
//   quantised types  per block of k: each part of the 16 rows' blocks in the order of the file,
//                    [part][16 rows]. A part is one f16 number or four bytes of anything else. So
//                    a block of Q8_0 is 16 f16 scales, then int8 [8][16 rows][4 k]; one of Q4_0 is
//                    16 scales, then bytes [4][16 rows][4], of which byte (q, row, i) is byte
//                    4q + i of the row's block.
// The last N % 16 rows stay as the file has them; kernels pack them into scratch when they meet
// them (PackTail).
//
// Files may hold this order ("panel16", docs/model-file.md): it is the same on every processor, and
// another order needs another name.
#ifndef TINYVLM_KERNELS_PACK_H_
#define TINYVLM_KERNELS_PACK_H_

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tinyvlm {

inline constexpr size_t kPanelRows = 16;

// B[n, k] in packed order; borrowed bytes.
struct PackedMatrix {
  DType type = DType::kF32;  // any type of tensor/quant.h
  size_t n = 0;
  size_t k = 0;
  const uint8_t* data = nullptr;  // aligned to 4 bytes at least
};

// Bytes of one row of k elements (k is whole blocks).
size_t RowBytes(DType type, size_t k);

// Bytes of scratch that PackInPlace and PackTail need: one panel.
size_t PackScratchBytes(DType type, size_t k);

// Packs n rows of length k from file order, in place.
void PackInPlace(DType type, size_t n, size_t k, uint8_t* data, uint8_t* scratch);

// Packs the last n % 16 rows of a packed matrix as a whole panel, absent rows being zero, into
// `panel` (PackScratchBytes).
void PackTail(const PackedMatrix& B, uint8_t* panel);

// Row `row` as f32, whatever the type: the embedding look-up.
void UnpackRow(const PackedMatrix& B, size_t row, float* out);

// A convolution kernel [cout][cin][area] -> [area][cin][cout]; `area` is its taps, ky slowest. With
// one input channel per group (depthwise) that is a plain transposition.
void PackKernel(const float* kernel, size_t cout, size_t cin, size_t area, float* out);

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_PACK_H_
