// SHA-256 (FIPS 180-4), computed incrementally: for the hashes in a model file.
#ifndef TINYVLM_BASE_SHA256_H_
#define TINYVLM_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tinyvlm {

// `state` after `count` more blocks of 64 bytes at `blocks`; by the processor's own instructions
// for it where it has them (x86-64 with SHA extensions).
void CompressSha256(const uint8_t* blocks, size_t count, std::array<uint32_t, 8>* state);

namespace reference {
// The definition of the same.
void CompressSha256(const uint8_t* blocks, size_t count, std::array<uint32_t, 8>* state);
}  // namespace reference

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256() { Reset(); }

  // Starts a new message.
  void Reset();

  // Appends bytes to the message.
  void Update(const uint8_t* data, size_t bytes);

  // The digest of the message. Afterwards only Reset() may be called.
  Digest Finish();

 private:
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> tail_;  // bytes of a block that is not whole yet
  uint64_t bytes_;                // of the message so far
};

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_SHA256_H_
