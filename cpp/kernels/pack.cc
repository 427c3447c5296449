#include "kernels/pack.h"

#include <algorithm>
#include <cstring>

#include "tensor/quant.h"

namespace tinyvlm {

namespace {

constexpr size_t kBlock = 32;

// Bytes of one row's part of a quantised block behind its f16 scale.
size_t PayloadBytes(DType type) { return GetDTypeInfo(type).block_bytes - 2; }

// One panel of `rows` <= 16 rows in file order -> packed order; absent rows become zero.
void PackPanel(DType type, size_t rows, size_t k, const uint8_t* from, uint8_t* to) {
  const size_t row_bytes = RowBytes(type, k);
  if (rows < kPanelRows) std::memset(to, 0, kPanelRows * row_bytes);
  if (GetDTypeInfo(type).block_elements == 1) {
    const size_t size = GetDTypeInfo(type).block_bytes;
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < k; ++i) std::memcpy(to + (i * kPanelRows + r) * size, from + r * row_bytes + i * size, size);
    }
    return;
  }
  const size_t payload = PayloadBytes(type), block_bytes = payload + 2;
  for (size_t b = 0; b < k / kBlock; ++b) {
    uint8_t* const block = to + b * block_bytes * kPanelRows;
    for (size_t r = 0; r < rows; ++r) {
      const uint8_t* const source = from + r * row_bytes + b * block_bytes;
      std::memcpy(block + 2 * r, source, 2);
      for (size_t q = 0; q < payload / 4; ++q) std::memcpy(block + 2 * kPanelRows + (q * kPanelRows + r) * 4, source + 2 + 4 * q, 4);
    }
  }
}

}  // namespace

size_t RowBytes(DType type, size_t k) {
  const DTypeInfo& info = GetDTypeInfo(type);
  return k / info.block_elements * info.block_bytes;
}

size_t PackScratchBytes(DType type, size_t k) { return kPanelRows * RowBytes(type, k); }

void PackInPlace(DType type, size_t n, size_t k, uint8_t* data, uint8_t* scratch) {
  const size_t panel_bytes = PackScratchBytes(type, k);
  for (size_t panel = 0; panel < n / kPanelRows; ++panel) {
    PackPanel(type, kPanelRows, k, data + panel * panel_bytes, scratch);
    std::memcpy(data + panel * panel_bytes, scratch, panel_bytes);
  }
}

void PackTail(const PackedMatrix& B, uint8_t* panel) {
  PackPanel(B.type, B.n % kPanelRows, B.k, B.data + B.n / kPanelRows * PackScratchBytes(B.type, B.k), panel);
}

void UnpackRow(const PackedMatrix& B, size_t row, float* out) {
  const size_t row_bytes = RowBytes(B.type, B.k), panel_bytes = kPanelRows * row_bytes;
  const uint8_t* const panel = B.data + row / kPanelRows * panel_bytes;
  const size_t r = row % kPanelRows;
  if (row >= B.n / kPanelRows * kPanelRows) {
    DequantizeRow(B.type, panel + r * row_bytes, B.k, out);
    return;
  }
  const DTypeInfo& info = GetDTypeInfo(B.type);
  if (info.block_elements == 1) {
    for (size_t i = 0; i < B.k; ++i) DequantizeRow(B.type, panel + (i * kPanelRows + r) * info.block_bytes, 1, out + i);
    return;
  }
  uint8_t block[34];
  const size_t payload = PayloadBytes(B.type);
  for (size_t b = 0; b < B.k / kBlock; ++b) {
    const uint8_t* const packed = panel + b * info.block_bytes * kPanelRows;
    std::memcpy(block, packed + 2 * r, 2);
    for (size_t q = 0; q < payload / 4; ++q) std::memcpy(block + 2 + 4 * q, packed + 2 * kPanelRows + (q * kPanelRows + r) * 4, 4);
    DequantizeRow(B.type, block, kBlock, out + b * kBlock);
  }
}

}  // namespace tinyvlm
