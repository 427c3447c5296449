// The inverse DCT of JPEG blocks.
#ifndef TINYVLM_IMAGE_JPEG_IDCT_H_
#define TINYVLM_IMAGE_JPEG_IDCT_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// Dequantised coefficients are clamped to ±kMaxCoefficient: four times the range of 8-bit images,
// and no sum of the transform overflows.
inline constexpr int32_t kMaxCoefficient = 16383;

// An 8x8 block of dequantised coefficients (natural order, |c| <= kMaxCoefficient) to samples
// 0..255; `stride` is the distance of two rows in bytes. Bit-exact with libjpeg's accurate integer
// method: Loeffler, Ligtenberg and Moschytz's eleven multiplications, columns first with 2 extra
// bits.
void InverseDct(const int16_t* coefficients, uint8_t* out, size_t stride);

// The same for a block of which only the first coefficient is not 0.
void InverseDctFlat(int32_t dc, uint8_t* out, size_t stride);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_JPEG_IDCT_H_
