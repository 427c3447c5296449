// What an estimate says is, within 5 %, what the allocator gives out for a model and a session.
#include <string>

#include "api/objects.h"
#include "convert/repack.h"
#include "faults/injection.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

constexpr double kTolerance = 0.05;

// What does not grow with a model: tables, execution plans. Seen where a model is as small as this.
constexpr double kFixedBytes = 64 << 10;

// Bytes allocated for the model at `path` and a session, both alive; `mapped`: its weights are not.
void CheckEstimate(const std::string& path, const char* session_options, bool mapped) {
  INFO(path << " " << session_options);
  tvlm_memory_estimate estimate;
  REQUIRE(tvlm_estimate_path(path.c_str(), "{}", session_options, &estimate, nullptr) == TVLM_OK);
  const size_t before = LiveBytes();
  Injection quiet(Fault::kAllocation, Injection::kNever, false);
  const ModelObject model(quiet.Call([] { return tvlm_model_create("{}", nullptr); }));
  REQUIRE(quiet.Call([&] {
    return tvlm_model_load_path(model.get(), path.c_str(), nullptr, nullptr);
  }) == TVLM_OK);
  const SessionObject session(
      quiet.Call([&] { return tvlm_session_create(model.get(), session_options, nullptr); }));
  REQUIRE(session != nullptr);
  const double found = static_cast<double>(LiveBytes() - before);
  const uint64_t expected = estimate.tokenizer_bytes + estimate.kv_cache_bytes +
                            estimate.activation_bytes + (mapped ? 0 : estimate.weight_bytes);
  const double wanted = static_cast<double>(expected);
  CHECK(found > wanted * (1 - kTolerance));
  CHECK(found < wanted * (1 + kTolerance) + kFixedBytes);
}

TEST_CASE("An estimate is within 5 % of what is allocated", "[faults][memory]") {
  const TempFolder temp;
  const std::string mapped = temp.File("mapped.gguf");
  REQUIRE(Repack(DemoModelPath(), mapped, {}).ok());
  for (const char* const options : {R"({"context":512,"imageSize":128})", R"({"context":2048})",
                                    R"({"context":256,"imageSize":256})"}) {
    CheckEstimate(DemoModelPath(), options, false);
    CheckEstimate(mapped, options, true);
  }
}

}  // namespace
}  // namespace tinyvlm
