// Random choices of a custom mutator, the same for the same seed.
#ifndef TINYVLM_TESTS_FUZZ_DICE_H_
#define TINYVLM_TESTS_FUZZ_DICE_H_

#include <cstdint>
#include <random>
#include <string>

#include "fuzz/fuzz.h"

namespace tinyvlm {

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}

  // 0..sides-1; 0 where `sides` is 0.
  size_t Roll(size_t sides) { return sides == 0 ? 0 : random_() % sides; }
  bool OneIn(size_t sides) { return Roll(sides) == 0; }

  // A number as hostile files have them: near 0, near a power of two, or any.
  uint64_t Number() {
    const uint64_t any = uint64_t{random_()} << 32 | random_();
    switch (Roll(4)) {
      case 0:
        return Roll(40);
      case 1:
        return (uint64_t{1} << Roll(64)) + Roll(5) - 2;
      case 2:
        return any >> Roll(64);
      default:
        return any;
    }
  }

  // A little changed, or replaced.
  uint64_t Changed(uint64_t value) { return OneIn(3) ? Number() : value + Roll(9) - 4; }

  // What libFuzzer makes of some bytes, at most `room` more of them.
  template <typename Bytes>
  void Mutate(Bytes* bytes, size_t room) {
    const size_t size = bytes->size();
    bytes->resize(size + room + 1);
    bytes->resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes->data()), size, bytes->size()));
  }

 private:
  std::mt19937 random_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_DICE_H_
