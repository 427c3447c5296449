// Embeddings through the C interface.
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "api/objects.h"
#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

using Vector = std::vector<float>;

// A copy of the session's embedding.
Vector EmbeddingOf(const SessionObject& session) {
  size_t width = 0;
  const float* const numbers = tvlm_session_embedding(session.get(), &width);
  INFO(tvlm_session_error(session.get()));
  REQUIRE(numbers != nullptr);
  return Vector(numbers, numbers + width);
}

Vector Embed(const SessionObject& session, uint32_t image) {
  REQUIRE(tvlm_session_embed(session.get(), image) == TVLM_OK);
  CHECK(Finish(session.get()).empty());
  return EmbeddingOf(session);
}

double Similarity(const Vector& a, const Vector& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

double Number(const Json& report, const char* group, const char* key) {
  return *report.Find(group)->Find(key)->number();
}

TEST_CASE("Embeddings of an image and its copy are closer than those of two images",
          "[api][embedding]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const Vector png = Embed(session, AddSample(session, "sample-1.png"));
  const Vector jpeg = Embed(session, AddSample(session, "sample-1-1024.jpg"));
  const Vector other = Embed(session, AddSample(session, "sample-2.png"));
  CHECK(Similarity(png, png) == Catch::Approx(1).epsilon(1e-6));
  CHECK(Similarity(png, jpeg) > 0.98);
  CHECK(Similarity(png, jpeg) > Similarity(png, other) + 0.1);
  // Another session computes the same numbers.
  const SessionObject again = CreateSession(model);
  CHECK(Embed(again, AddSample(again, "sample-1.png")) == png);
}

TEST_CASE("The rows of an embedding have its mean", "[api][embedding]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const Vector vector = Embed(session, AddSample(session, "sample-3.png"));
  size_t tokens = 0;
  const float* const rows = tvlm_session_embedding_rows(session.get(), &tokens);
  REQUIRE(rows != nullptr);
  CHECK(static_cast<double>(tokens) == *InfoOf(model).Find("imageTokens")->number());
  std::vector<double> mean(vector.size());
  double squares = 0;
  for (size_t c = 0; c < vector.size(); ++c) {
    for (size_t t = 0; t < tokens; ++t) mean[c] += double{rows[t * vector.size() + c]};
    mean[c] /= static_cast<double>(tokens);
    squares += mean[c] * mean[c];
  }
  for (size_t c = 0; c < vector.size(); ++c)
    CHECK(double{vector[c]} == Catch::Approx(mean[c] / std::sqrt(squares)).epsilon(1e-6));
  // Lengths need not be asked for.
  CHECK(tvlm_session_embedding_rows(session.get(), nullptr) == rows);
  CHECK(tvlm_session_embedding(session.get(), nullptr) != nullptr);
}

TEST_CASE("An image that was embedded or asked about is not encoded again", "[api][embedding]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const uint32_t flower = AddSample(session, "sample-1.png"),
                 peaches = AddSample(session, "sample-3.png");
  Embed(session, flower);
  Json report = ReportOf(session);
  CHECK(report.Find("text")->string()->empty());
  CHECK(*report.Find("finishReason")->string() == "stop");
  CHECK(Number(report, "usage", "encodedImages") == 1);
  CHECK(Number(report, "usage", "imageTokens") == 16);
  CHECK(Number(report, "usage", "promptTokens") == 0);
  CHECK(Number(report, "timings", "visionMs") > 0);
  CHECK(Number(report, "timings", "decodeImageMs") > 0);

  const auto ask = [&](uint32_t image) {
    const std::string request = Question("Describe the image.", std::to_string(image));
    REQUIRE(tvlm_session_ask(session.get(), request.c_str()) == TVLM_OK);
    return Finish(session.get());
  };
  CHECK(ask(flower) == "A sunflower.");
  CHECK(Number(ReportOf(session), "usage", "encodedImages") == 0);
  ask(peaches);
  CHECK(Number(ReportOf(session), "usage", "encodedImages") == 1);
  Embed(session, peaches);
  report = ReportOf(session);
  CHECK(Number(report, "usage", "encodedImages") == 0);
  CHECK(Number(report, "timings", "visionMs") == 0);
  CHECK(report.Find("text")->string()->empty());
}

TEST_CASE("Without a complete embedding there is none", "[api][embedding]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model);
  const auto none = [&] {
    size_t width = 1, tokens = 1;
    CHECK(tvlm_session_embedding(session.get(), &width) == nullptr);
    CHECK(width == 0);
    CHECK(tvlm_session_embedding_rows(session.get(), &tokens) == nullptr);
    CHECK(tokens == 0);
    CHECK(tvlm_session_error_code(session.get()) == TVLM_NOT_READY);
    CHECK(std::string(tvlm_session_error(session.get())) ==
          "no embedding is complete: tvlm_session_embed, then tvlm_session_advance until it is "
          "done");
  };
  none();
  CHECK(tvlm_session_embed(session.get(), 3) == TVLM_INVALID_ARGUMENT);
  CHECK(std::string(tvlm_session_error(session.get())) == "3 is not an image of this session");
  none();
  const uint32_t image = AddSample(session, "sample-1.png");
  REQUIRE(tvlm_session_embed(session.get(), image) == TVLM_OK);
  none();
  tvlm_session_cancel(session.get());
  REQUIRE(tvlm_session_run(session.get(), nullptr, nullptr) == TVLM_OK);
  none();
  CHECK(*ReportOf(session).Find("finishReason")->string() == "cancelled");
  REQUIRE(tvlm_session_embed(session.get(), image) == TVLM_OK);
  REQUIRE(tvlm_session_run(session.get(), nullptr, nullptr) == TVLM_OK);
  EmbeddingOf(session);
  // A question ends it.
  REQUIRE(tvlm_session_ask(session.get(), Question("What is this?").c_str()) == TVLM_OK);
  none();
  Finish(session.get());
  none();
}

TEST_CASE("NULL in place of a session embeds nothing", "[api][embedding]") {
  size_t count = 1;
  CHECK(tvlm_session_embed(nullptr, 1) == TVLM_INVALID_ARGUMENT);
  CHECK(tvlm_session_embedding(nullptr, &count) == nullptr);
  CHECK(count == 0);
  count = 1;
  CHECK(tvlm_session_embedding_rows(nullptr, &count) == nullptr);
  CHECK(count == 0);
}

}  // namespace
}  // namespace tinyvlm
