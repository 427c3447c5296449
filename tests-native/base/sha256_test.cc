#include "base/sha256.h"

#include <string>
#include <string_view>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

std::string Hex(const Sha256::Digest& digest) {
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

void Update(Sha256& sha, std::string_view text) {
  sha.Update(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

// The examples of FIPS 180-4 and of NIST's test vectors.
TEST_CASE("SHA-256 gives the published digests", "[base][sha256]") {
  Sha256 sha;
  CHECK(Hex(sha.Finish()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  sha.Reset();
  Update(sha, "abc");
  CHECK(Hex(sha.Finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha.Reset();
  Update(sha, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  CHECK(Hex(sha.Finish()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  sha.Reset();
  const std::string thousand(1000, 'a');
  for (int i = 0; i < 1000; ++i) Update(sha, thousand);
  CHECK(Hex(sha.Finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the message is cut", "[base][sha256]") {
  std::string message;
  for (int i = 0; i < 200; ++i) message += static_cast<char>(i * 7);
  for (size_t length = 0; length <= message.size(); ++length) {
    Sha256 whole;
    Update(whole, std::string_view(message).substr(0, length));
    const Sha256::Digest wanted = whole.Finish();
    for (const size_t cut : {size_t{0}, size_t{1}, length / 2, length}) {
      if (cut > length) continue;
      Sha256 pieces;
      Update(pieces, std::string_view(message).substr(0, cut));
      Update(pieces, std::string_view(message).substr(cut, length - cut));
      REQUIRE(pieces.Finish() == wanted);
    }
  }
}

TEST_CASE("SHA-256 by the processor's instructions equals the definition", "[base][sha256]") {
  std::vector<uint8_t> blocks(64 * 9);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<uint8_t>(i * i * 131 + i * 7);
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{9}}) {
    std::array<uint32_t, 8> wanted{1, 2, 3, 4, 0xFFFFFFFF, 0x80000000, 7, 8}, found = wanted;
    reference::CompressSha256(blocks.data(), count, &wanted);
    CompressSha256(blocks.data(), count, &found);
    CHECK(found == wanted);
  }
}

}  // namespace
}  // namespace tinyvlm
