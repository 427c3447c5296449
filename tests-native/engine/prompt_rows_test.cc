#include "engine/prompt_rows.h"

#include <memory>
#include <vector>

#include "catch_amalgamated.hpp"
#include "engine/fake_backend.h"
#include "engine/image_cache.h"
#include "text/chat_template.h"

namespace tinyvlm {
namespace {

Sha256::Digest DigestOf(uint8_t value) {
  Sha256 hash;
  hash.Update(&value, 1);
  return hash.Finish();
}

constexpr size_t kImageTokens = 2;

// 7, an image, 8, an image, 9
PromptRows MakePrompt(uint8_t first, uint8_t second) {
  PromptRows prompt;
  const std::vector<int32_t> ids{7, kImageMarker, 8, kImageMarker, 9};
  const std::vector<Sha256::Digest> images{DigestOf(first), DigestOf(second)};
  prompt.Assign(ids, images, kImageTokens);
  return prompt;
}

TEST_CASE("A prompt becomes a row a token and several an image, which refer to its embeddings",
          "[engine][prompt_rows]") {
  const PromptRows prompt = MakePrompt(1, 2);
  CHECK(prompt.size() == 7);
  const FakeDevice device;
  const std::vector<std::shared_ptr<const Embeddings>> images{
      std::make_shared<FakeEmbeddings>(device, kImageTokens, 4),
      std::make_shared<FakeEmbeddings>(device, kImageTokens, 4)};
  std::vector<DecoderRow> rows;
  prompt.MakeRows(0, images, &rows);
  const int32_t tokens[] = {7, -1, -1, 8, -1, -1, 9};
  const int image_of[] = {-1, 0, 0, -1, 1, 1, -1};
  const uint32_t index[] = {0, 0, 1, 0, 0, 1, 0};
  REQUIRE(rows.size() == 7);
  for (size_t r = 0; r < rows.size(); ++r) {
    CAPTURE(r);
    CHECK(rows[r].token == tokens[r]);
    CHECK(rows[r].sequence == 0);
    CHECK(rows[r].embeddings ==
          (image_of[r] < 0 ? nullptr : images[static_cast<size_t>(image_of[r])].get()));
    CHECK(rows[r].index == index[r]);
  }
  // From the middle of the second image on, the first one's embeddings are not needed.
  CHECK(prompt.ImagesFrom(5) == std::vector<size_t>{1});
  prompt.MakeRows(5, std::vector<std::shared_ptr<const Embeddings>>{nullptr, images[1]}, &rows);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].embeddings == images[1].get());
  CHECK(rows[0].index == 1);
  CHECK(rows[1].token == 9);
}

TEST_CASE("The images that rows from a place on are made of", "[engine][prompt_rows]") {
  const PromptRows prompt = MakePrompt(1, 2);
  const std::vector<size_t> both{0, 1}, second{1}, none;
  for (const size_t first : {0, 1, 2}) CHECK(prompt.ImagesFrom(first) == both);
  for (const size_t first : {3, 4, 5}) CHECK(prompt.ImagesFrom(first) == second);
  for (const size_t first : {6, 7}) CHECK(prompt.ImagesFrom(first) == none);
}

TEST_CASE("Rows are shared up to the first that was made from something else",
          "[engine][prompt_rows]") {
  const PromptRows prompt = MakePrompt(1, 2);
  CHECK(prompt.CommonPrefix(MakePrompt(1, 2).keys()) == 7);
  CHECK(prompt.CommonPrefix(MakePrompt(1, 3).keys()) == 4);
  CHECK(prompt.CommonPrefix(MakePrompt(3, 2).keys()) == 1);
  CHECK(prompt.CommonPrefix(MakePrompt(1, 2).keys().first(3)) == 3);
  CHECK(prompt.CommonPrefix({}) == 0);
}

TEST_CASE("The image cache keeps what was encoded, and the oldest gives its place",
          "[engine][image_cache]") {
  FakeDevice device;
  ModelDescription model;
  FakeEncoder encoder(device, model, VisionEncoderOptions{});
  ImageCache cache;
  std::vector<std::shared_ptr<Embeddings>> made;
  for (uint8_t i = 0; i < ImageCache::kMaxKept; ++i) {
    REQUIRE(cache.Hold(std::vector<Sha256::Digest>{DigestOf(i)}, encoder).ok());
    ImageCache::Entry* const entry = cache.Find(DigestOf(i));
    REQUIRE(entry != nullptr);
    CHECK_FALSE(entry->complete);
    entry->complete = true;
    made.push_back(entry->embeddings);
  }
  CHECK(cache.memory_bytes() == made.size() * made[0]->memory_bytes());
  // Wanted again: it keeps its embeddings, and is no longer the oldest.
  REQUIRE(cache.Hold(std::vector<Sha256::Digest>{DigestOf(0)}, encoder).ok());
  CHECK(cache.Find(DigestOf(0))->complete);
  CHECK(cache.Find(DigestOf(0))->embeddings == made[0]);
  REQUIRE(cache.Hold(std::vector<Sha256::Digest>{DigestOf(100)}, encoder).ok());
  CHECK(cache.Find(DigestOf(1)) == nullptr);
  CHECK_FALSE(cache.Find(DigestOf(100))->complete);
  CHECK(cache.Find(DigestOf(100))->embeddings == made[1]);  // memory is used again
  // A prompt with more images than are kept holds all of them, each once.
  std::vector<Sha256::Digest> many;
  for (uint8_t i = 0; i < 12; ++i) many.push_back(DigestOf(static_cast<uint8_t>(200 + i / 2 * 2)));
  for (uint8_t i = 0; i < 12; ++i) many.push_back(DigestOf(static_cast<uint8_t>(220 + i)));
  REQUIRE(cache.Hold(many, encoder).ok());
  for (const Sha256::Digest& image : many) CHECK(cache.Find(image) != nullptr);
  CHECK(cache.memory_bytes() == 18 * made[0]->memory_bytes());
}

}  // namespace
}  // namespace tinyvlm
