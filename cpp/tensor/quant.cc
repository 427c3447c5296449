#include "tensor/quant.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/byte_reader.h"
#include "base/check.h"
#include "base/half.h"

// Also where no build option says so (Package.swift): see CMakeLists.txt.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

namespace tinyvlm {

namespace {

constexpr size_t kBlock = 32;        // elements of the plain block types
constexpr size_t kSuperBlock = 256;  // of the K-quants

float LoadF16(const uint8_t* bytes) { return F16ToF32(LoadLittleEndian<uint16_t>(bytes)); }

void StoreU16(uint16_t value, uint8_t* bytes) {
  bytes[0] = static_cast<uint8_t>(value);
  bytes[1] = static_cast<uint8_t>(value >> 8);
}

void StoreU32(uint32_t value, uint8_t* bytes) {
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
}

// 1/d by which values are scaled; 0 where d is 0 or so small that its inverse is infinite (below
// about 3e-39: ggml's codes are undefined there).
float Inverse(float d) {
  const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

// Code of a scaled, shifted, not negative value: truncated, at most `max`.
uint32_t Truncate(float value, uint32_t max) { return std::min(max, static_cast<uint32_t>(value)); }

// The element with the largest magnitude, the first one where several are equal, its sign kept.
float SignedLargest(const float* x) {
  float largest = x[0], magnitude = std::fabs(x[0]);
  for (size_t i = 1; i < kBlock; ++i) {
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      largest = x[i];
    }
  }
  return largest;
}

// ---- one block of 32 ----

void QuantizeQ8_0(const float* x, uint8_t* block) {
  float amax = 0;
  for (size_t i = 0; i < kBlock; ++i) amax = std::max(amax, std::fabs(x[i]));
  const float d = amax / 127.0f, inverse = Inverse(d);
  StoreU16(F32ToF16(d), block);
  for (size_t i = 0; i < kBlock; ++i)
    block[2 + i] = static_cast<uint8_t>(
        static_cast<int8_t>(std::round(x[i] * inverse)));  // halves away from zero
}

void DequantizeQ8_0(const uint8_t* block, float* x) {
  const float d = LoadF16(block);
  for (size_t i = 0; i < kBlock; ++i)
    x[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

// Q4_0, Q4_1, Q5_0, Q5_1 differ in two ways: 4 or 5 bits per code, and codes around a middle (v = d
// * (q - 2^(bits-1))) or above a minimum (v = d * q + m). Layout: f16 d, [f16 m], [u32 fifth bits],
// 16 bytes of low nibbles: element j in the lower half of byte j, 16 + j in the upper.
template <int kBits, bool kMinimum>
void QuantizeNibbles(const float* x, uint8_t* block) {
  constexpr uint32_t kMax = (1u << kBits) - 1, kMiddle = 1u << (kBits - 1);
  float d = 0, shift = 0, base = 0;
  if constexpr (kMinimum) {
    const auto [min, max] = std::minmax_element(x, x + kBlock);
    // -0 becomes 0: which of the two zeros is the smallest is otherwise a matter of order
    base = *min + 0.0f;
    d = (*max - *min) / static_cast<float>(kMax);
    shift = 0.5f;
  } else {
    d = SignedLargest(x) / -static_cast<float>(kMiddle);
    shift = static_cast<float>(kMiddle) + 0.5f;
  }
  const float inverse = Inverse(d);
  StoreU16(F32ToF16(d), block);
  if constexpr (kMinimum) StoreU16(F32ToF16(base), block + 2);
  uint8_t* const high = block + (kMinimum ? 4 : 2);
  uint8_t* const low = high + (kBits == 5 ? 4 : 0);
  uint32_t fifth = 0;
  for (size_t j = 0; j < kBlock / 2; ++j) {
    const uint32_t q0 = Truncate((x[j] - base) * inverse + shift, kMax),
                   q1 = Truncate((x[j + kBlock / 2] - base) * inverse + shift, kMax);
    low[j] = static_cast<uint8_t>((q0 & 15) | (q1 & 15) << 4);
    fifth |= (q0 >> 4) << j | (q1 >> 4) << (j + kBlock / 2);
  }
  if constexpr (kBits == 5) StoreU32(fifth, high);
}

template <int kBits, bool kMinimum>
void DequantizeNibbles(const uint8_t* block, float* x) {
  constexpr int32_t kMiddle = kMinimum ? 0 : 1 << (kBits - 1);
  const float d = LoadF16(block), base = kMinimum ? LoadF16(block + 2) : 0.0f;
  const uint8_t* const high = block + (kMinimum ? 4 : 2);
  const uint8_t* const low = high + (kBits == 5 ? 4 : 0);
  const uint32_t fifth = kBits == 5 ? LoadLittleEndian<uint32_t>(high) : 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const uint32_t nibble = i < kBlock / 2 ? low[i] & 15u : low[i - kBlock / 2] >> 4;
    const float q =
        static_cast<float>(static_cast<int32_t>(nibble | (fifth >> i & 1u) << 4) - kMiddle);
    x[i] = kMinimum ? d * q + base : d * q;
  }
}

// ---- one super-block of 256 ----

// Scale and minimum (6 bits each) of sub-block j of a Q4_K or Q5_K block.
void LoadScaleAndMinimum(const uint8_t* s, size_t j, float* scale, float* minimum) {
  if (j < 4) {
    *scale = static_cast<float>(s[j] & 63);
    *minimum = static_cast<float>(s[j + 4] & 63);
  } else {
    *scale = static_cast<float>((s[j + 4] & 15) | (s[j - 4] >> 6) << 4);
    *minimum = static_cast<float>((s[j + 4] >> 4) | (s[j] >> 6) << 4);
  }
}

// f16 d, f16 dmin, 12 bytes of scales and minima, [Q5_K: 32 bytes of fifth bits], 128 bytes of
// nibbles.
template <int kBits>
void DequantizeQ45_K(const uint8_t* block, float* x) {
  const float d = LoadF16(block), dmin = LoadF16(block + 2);
  const uint8_t* const high = block + 16;
  const uint8_t* const low = high + (kBits == 5 ? 32 : 0);
  for (size_t j = 0; j < 8; ++j) {
    float scale, minimum;
    LoadScaleAndMinimum(block + 4, j, &scale, &minimum);
    const float step = d * scale, base = dmin * minimum;
    for (size_t l = 0; l < 32; ++l) {
      uint32_t q = low[32 * (j / 2) + l] >> (j % 2 * 4) & 15;
      if (kBits == 5) q |= (high[l] >> j & 1u) << 4;
      x[32 * j + l] = step * static_cast<float>(q) - base;
    }
  }
}

// 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales, f16 d.
void DequantizeQ6_K(const uint8_t* block, float* x) {
  const float d = LoadF16(block + 208);
  for (size_t h = 0; h < 2; ++h) {
    const uint8_t* const low = block + 64 * h;
    const uint8_t* const high = block + 128 + 32 * h;
    for (size_t i = 0; i < 128; ++i) {
      // parts 0 and 1: low nibbles of bytes l and 32 + l; parts 2 and 3: their high nibbles
      const size_t l = i % 32, part = i / 32;
      const uint32_t nibble = low[part % 2 * 32 + l] >> (part / 2 * 4) & 15u;
      const int32_t q = static_cast<int32_t>(nibble | (high[l] >> (2 * part) & 3u) << 4) - 32;
      const size_t element = 128 * h + i;
      const float scale = static_cast<float>(static_cast<int8_t>(block[192 + element / 16]));
      x[element] = d * scale * static_cast<float>(q);
    }
  }
}

template <typename Function>
void ForEachBlock(size_t count, size_t elements, size_t bytes, const Function& function) {
  TVLM_DCHECK(count % elements == 0);
  for (size_t b = 0; b < count / elements; ++b) function(b * elements, b * bytes);
}

}  // namespace

void DequantizeRow(DType type, const uint8_t* data, size_t count, float* values) {
  const auto for_each = [&](size_t elements, void (*dequantize)(const uint8_t*, float*)) {
    ForEachBlock(count, elements, GetDTypeInfo(type).block_bytes,
                 [&](size_t element, size_t byte) { dequantize(data + byte, values + element); });
  };
  switch (type) {
    case DType::kF32:
      for (size_t i = 0; i < count; ++i) values[i] = LoadLittleEndian<float>(data + 4 * i);
      return;
    case DType::kF16:
      for (size_t i = 0; i < count; ++i) values[i] = LoadF16(data + 2 * i);
      return;
    case DType::kBF16:
      for (size_t i = 0; i < count; ++i)
        values[i] = BF16ToF32(LoadLittleEndian<uint16_t>(data + 2 * i));
      return;
    case DType::kQ8_0:
      return for_each(kBlock, DequantizeQ8_0);
    case DType::kQ4_0:
      return for_each(kBlock, DequantizeNibbles<4, false>);
    case DType::kQ4_1:
      return for_each(kBlock, DequantizeNibbles<4, true>);
    case DType::kQ5_0:
      return for_each(kBlock, DequantizeNibbles<5, false>);
    case DType::kQ5_1:
      return for_each(kBlock, DequantizeNibbles<5, true>);
    case DType::kQ4_K:
      return for_each(kSuperBlock, DequantizeQ45_K<4>);
    case DType::kQ5_K:
      return for_each(kSuperBlock, DequantizeQ45_K<5>);
    case DType::kQ6_K:
      return for_each(kSuperBlock, DequantizeQ6_K);
    case DType::kI64:
      break;
  }
  TVLM_DCHECK(false);
}

bool CanQuantize(DType type) {
  return type != DType::kI64 && type != DType::kQ4_K && type != DType::kQ5_K &&
         type != DType::kQ6_K;
}

void QuantizeRow(DType type, const float* values, size_t count, uint8_t* data) {
  const auto for_each = [&](void (*quantize)(const float*, uint8_t*)) {
    ForEachBlock(count, kBlock, GetDTypeInfo(type).block_bytes,
                 [&](size_t element, size_t byte) { quantize(values + element, data + byte); });
  };
  switch (type) {
    case DType::kF32:
      for (size_t i = 0; i < count; ++i) StoreU32(std::bit_cast<uint32_t>(values[i]), data + 4 * i);
      return;
    case DType::kF16:
      for (size_t i = 0; i < count; ++i) StoreU16(F32ToF16(values[i]), data + 2 * i);
      return;
    case DType::kBF16:
      for (size_t i = 0; i < count; ++i) StoreU16(F32ToBF16(values[i]), data + 2 * i);
      return;
    case DType::kQ8_0:
      return for_each(QuantizeQ8_0);
    case DType::kQ4_0:
      return for_each(QuantizeNibbles<4, false>);
    case DType::kQ4_1:
      return for_each(QuantizeNibbles<4, true>);
    case DType::kQ5_0:
      return for_each(QuantizeNibbles<5, false>);
    case DType::kQ5_1:
      return for_each(QuantizeNibbles<5, true>);
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
    case DType::kI64:
      break;
  }
  TVLM_DCHECK(false);
}

}  // namespace tinyvlm
