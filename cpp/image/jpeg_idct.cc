#include "image/jpeg_idct.h"

#include <algorithm>
#include <cstring>

namespace tinyvlm {

namespace {

constexpr int kConstBits = 13;  // fraction bits of the constants
constexpr int kPass1Bits = 2;   // fraction bits kept between the passes

constexpr int32_t Fixed(double value) {
  // Not negative. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  return static_cast<int32_t>(value * (1 << kConstBits) + 0.5);
}

// c_k = sqrt(2) cos(k pi / 16); the rotations of the flow graph, each as three products.
constexpr int32_t kC6 = Fixed(0.541196100), kC2MinusC6 = Fixed(0.765366865),
                  kC2PlusC6 = Fixed(1.847759065);
constexpr int32_t kC3 = Fixed(1.175875602);
constexpr int32_t kOdd7 = Fixed(0.298631336), kOdd5 = Fixed(2.053119869),
                  kOdd3 = Fixed(3.072711026), kOdd1 = Fixed(1.501321110);
constexpr int32_t kSum71 = Fixed(0.899976223), kSum53 = Fixed(2.562915447),
                  kSum73 = Fixed(1.961570560), kSum51 = Fixed(0.390180644);

// Eight values 2^kConstBits times too large, from eight inputs.
struct Transformed {
  int32_t value[8];
};

inline Transformed Transform(int32_t in0, int32_t in1, int32_t in2, int32_t in3, int32_t in4,
                             int32_t in5, int32_t in6, int32_t in7) {
  const int32_t rotated = (in2 + in6) * kC6;
  const int32_t even2 = rotated - in6 * kC2PlusC6, even3 = rotated + in2 * kC2MinusC6;
  const int32_t even0 = (in0 + in4) * (1 << kConstBits), even1 = (in0 - in4) * (1 << kConstBits);
  const int32_t a0 = even0 + even3, a3 = even0 - even3, a1 = even1 + even2, a2 = even1 - even2;

  const int32_t all = (in7 + in3 + in5 + in1) * kC3;
  const int32_t s71 = -(in7 + in1) * kSum71, s53 = -(in5 + in3) * kSum53;
  const int32_t s73 = all - (in7 + in3) * kSum73, s51 = all - (in5 + in1) * kSum51;
  const int32_t b0 = in7 * kOdd7 + (s71 + s73), b1 = in5 * kOdd5 + (s53 + s51);
  const int32_t b2 = in3 * kOdd3 + (s53 + s73), b3 = in1 * kOdd1 + (s71 + s51);
  return {{a0 + b3, a1 + b2, a2 + b1, a3 + b0, a3 - b0, a2 - b1, a1 - b2, a0 - b3}};
}

template <int kShift>
inline int32_t Round(int32_t value) {
  return (value + (1 << (kShift - 1))) >> kShift;
}

// Between the passes values are held to the inputs' range, which undamaged images do not reach, so
// that the second pass cannot overflow either.
inline int32_t Hold(int32_t value) { return std::clamp(value, -kMaxCoefficient, kMaxCoefficient); }

inline uint8_t Sample(int32_t value) {
  return static_cast<uint8_t>(std::clamp(value + 128, 0, 255));
}

}  // namespace

void InverseDct(const int16_t* c, uint8_t* out, size_t stride) {
  int32_t work[64];
  for (int x = 0; x < 8; ++x) {
    if ((c[8 + x] | c[16 + x] | c[24 + x] | c[32 + x] | c[40 + x] | c[48 + x] | c[56 + x]) == 0) {
      const int32_t flat = Hold(c[x] * (1 << kPass1Bits));
      for (int y = 0; y < 8; ++y) work[y * 8 + x] = flat;
      continue;
    }
    const Transformed column =
        Transform(c[x], c[8 + x], c[16 + x], c[24 + x], c[32 + x], c[40 + x], c[48 + x], c[56 + x]);
    for (int y = 0; y < 8; ++y)
      work[y * 8 + x] = Hold(Round<kConstBits - kPass1Bits>(column.value[y]));
  }
  for (int y = 0; y < 8; ++y, out += stride) {
    const int32_t* w = work + y * 8;
    const Transformed row = Transform(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
    for (int x = 0; x < 8; ++x) out[x] = Sample(Round<kConstBits + kPass1Bits + 3>(row.value[x]));
  }
}

void InverseDctFlat(int32_t dc, uint8_t* out, size_t stride) {
  const uint8_t sample = Sample(Round<3>(dc));
  for (int y = 0; y < 8; ++y, out += stride) std::memset(out, sample, 8);
}

}  // namespace tinyvlm
