#include "kernels/pack.h"

#include <algorithm>
#include <cstring>

#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// The largest block of any type: Q6_K.
constexpr size_t kMaxBlockBytes = 210;

// f16 numbers in front of a block's other bytes, and behind them.
size_t HalvesInFront(DType type) {
  switch (type) {
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ5_0:
      return 1;
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return 2;
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kI64:
    case DType::kQ6_K:
      return 0;
  }
  return 0;
}
size_t HalvesBehind(DType type) { return type == DType::kQ6_K ? 1 : 0; }

// Calls part(offset, size) for each part of a block of this type: 2 or 4 bytes at `offset`. In a
// packed block the part of row r stands at 16 * offset + r * size.
template <typename Function>
void ForEachPart(DType type, const Function& part) {
  const DTypeInfo& info = GetDTypeInfo(type);
  if (info.block_elements == 1) return part(size_t{0}, size_t{info.block_bytes});
  const size_t front = 2 * HalvesInFront(type), behind = info.block_bytes - 2 * HalvesBehind(type);
  for (size_t at = 0; at < front; at += 2) part(at, size_t{2});
  for (size_t at = front; at < behind; at += 4) part(at, size_t{4});
  for (size_t at = behind; at < info.block_bytes; at += 2) part(at, size_t{2});
}

// One panel of `rows` <= 16 rows in file order -> packed order; absent rows become zero.
void PackPanel(DType type, size_t rows, size_t k, const uint8_t* from, uint8_t* to) {
  const size_t row_bytes = RowBytes(type, k), block_bytes = GetDTypeInfo(type).block_bytes;
  if (rows < kPanelRows) std::memset(to, 0, kPanelRows * row_bytes);
  for (size_t block = 0; block < row_bytes; block += block_bytes) {
    const uint8_t* const source = from + block;
    uint8_t* const packed = to + block * kPanelRows;
    ForEachPart(type, [&](size_t offset, size_t size) {
      const uint8_t* const s = source + offset;
      uint8_t* const p = packed + offset * kPanelRows;
      if (size == 4) {  // the copies have fixed sizes, so that they are single moves
        for (size_t r = 0; r < rows; ++r) std::memcpy(p + 4 * r, s + r * row_bytes, 4);
      } else {
        for (size_t r = 0; r < rows; ++r) std::memcpy(p + 2 * r, s + r * row_bytes, 2);
      }
    });
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
  PackPanel(B.type, B.n % kPanelRows, B.k,
            B.data + B.n / kPanelRows * PackScratchBytes(B.type, B.k), panel);
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
  uint8_t block[kMaxBlockBytes];
  for (size_t b = 0; b < B.k / info.block_elements; ++b) {
    const uint8_t* const packed = panel + b * info.block_bytes * kPanelRows;
    ForEachPart(B.type, [&](size_t offset, size_t size) {
      std::memcpy(block + offset, packed + offset * kPanelRows + r * size, size);
    });
    DequantizeRow(B.type, block, info.block_elements, out + b * info.block_elements);
  }
}

void PackKernel(const float* kernel, size_t cout, size_t cin, size_t area, float* out) {
  for (size_t o = 0; o < cout; ++o) {
    for (size_t c = 0; c < cin; ++c) {
      for (size_t t = 0; t < area; ++t)
        out[(t * cin + c) * cout + o] = kernel[(o * cin + c) * area + t];
    }
  }
}

}  // namespace tinyvlm
