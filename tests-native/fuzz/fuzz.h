// What every fuzz target says when it finds that something is not as it must be.
#ifndef TINYVLM_TESTS_FUZZ_FUZZ_H_
#define TINYVLM_TESTS_FUZZ_FUZZ_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// Ends the program where `condition` is false; libFuzzer then keeps the input.
inline void MustHold(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: this does not hold: %s\n", what);
  std::abort();
}

// An error that a hostile input may lead to: it has a sentence, and is no mistake of the engine.
inline void MustBeTold(const Status& status) {
  if (status.ok()) return;
  if (status.code() == ErrorCode::kInternal || status.message().empty()) {
    std::fprintf(stderr, "fuzz: no error for users: %s: %s\n", ErrorCodeName(status.code()),
                 status.message().c_str());
    std::abort();
  }
}

// Ends the program where an input took more processor time than any of its length may, whatever
// else the machine does meanwhile.
class QuickEnough {
 public:
  ~QuickEnough() {
    constexpr double kMostSeconds = 5;  // with sanitizers
    const double seconds = static_cast<double>(std::clock() - begun_) / CLOCKS_PER_SEC;
    if (seconds > kMostSeconds) std::fprintf(stderr, "fuzz: %.1f s of processor time\n", seconds);
    MustHold(seconds <= kMostSeconds, "an input takes little time");
  }

 private:
  const std::clock_t begun_ = std::clock();
};

inline std::string_view TextOf(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A copy without a byte to spare, so that AddressSanitizer sees the first one that is read behind
// its end.
class ExactCopy {
 public:
  explicit ExactCopy(std::span<const uint8_t> bytes)
      : size_(bytes.size()), bytes_(std::make_unique<uint8_t[]>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  std::span<const uint8_t> bytes() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> bytes_;
};

}  // namespace tinyvlm

extern "C" {
// libFuzzer's: the target itself, what it may define, and its own mutations.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
}

#endif  // TINYVLM_TESTS_FUZZ_FUZZ_H_
