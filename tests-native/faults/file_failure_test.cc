// Every operation on a file fails in turn, alone and with all that follow: the call says io or does
// its work, and what was half written is taken for nothing.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "api/objects.h"
#include "convert/convert.h"
#include "convert/repack.h"
#include "faults/each_fault.h"
#include "faults/tiny_conversion.h"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

constexpr const char* kSession = R"({"context":192,"imageSize":64})";

std::string AnswerOf(tvlm_model* model) {
  tvlm_session* const session = tvlm_session_create(model, kSession, nullptr);
  REQUIRE(session != nullptr);
  const SessionObject owned(session);
  REQUIRE(tvlm_session_ask(session, Question("Hello?", "", R"(,"maxTokens":6)").c_str()) ==
          TVLM_OK);
  return Finish(session);
}

TEST_CASE("A model whose file cannot be read says so, or is there", "[faults][file]") {
  const std::string path = DemoModelPath();
  const TempFolder temp;
  // The same model as a file that is mapped.
  const std::string mapped = temp.File("mapped.gguf");
  REQUIRE(Repack(path, mapped, {}).ok());
  std::string quiet;
  {
    const ModelObject model = LoadDemo();
    quiet = AnswerOf(model.get());
  }
  const size_t descriptors = OpenDescriptors();
  tvlm_model* model = nullptr;
  const auto each = [&](const char* name, const auto& load) {
    EachFault(
        name, Fault::kFile, TVLM_IO,
        [&](Injection& injection) {
          model = tvlm_model_create("{}", nullptr);
          REQUIRE(model != nullptr);
          const tvlm_code code = load(injection);
          if (code != TVLM_OK) {
            CHECK(tvlm_model_error_code(model) == code);
            CHECK(*tvlm_model_error(model) != '\0');
          }
          return code;
        },
        [&](tvlm_code code) {
          if (code == TVLM_OK) REQUIRE(AnswerOf(model) == quiet);
          tvlm_model_free(std::exchange(model, nullptr));
          REQUIRE(OpenDescriptors() == descriptors);
        });
  };
  each("load: path", [&](Injection& injection) {
    return injection.Call(
        [&] { return tvlm_model_load_path(model, path.c_str(), nullptr, nullptr); });
  });
  each("load: mapped", [&](Injection& injection) {
    return injection.Call(
        [&] { return tvlm_model_load_path(model, mapped.c_str(), nullptr, nullptr); });
  });
  each("load: descriptor", [&](Injection& injection) {
    std::FILE* const held = std::fopen(path.c_str(), "rb");
    const tvlm_code code = injection.Call([&] {
      return tvlm_model_load_descriptor(model, fileno(held), 0, *FileBytes(path), nullptr, nullptr);
    });
    std::fclose(held);
    return code;
  });
  tvlm_memory_estimate estimate;
  EachFault(
      "estimate", Fault::kFile, TVLM_IO,
      [&](Injection& injection) {
        return injection.Call(
            [&] { return tvlm_estimate_path(path.c_str(), "{}", kSession, &estimate, nullptr); });
      },
      [&](tvlm_code) { REQUIRE(OpenDescriptors() == descriptors); });
}

// Writes `output` by `write`, which fails in turn. There is the whole file or none, or the older
// one of that name.
template <typename WriteFile>
void EachWrite(const char* name, const std::string& output, const WriteFile& write) {
  const size_t descriptors = OpenDescriptors();
  std::optional<std::string> whole;
  for (const bool older : {false, true}) {
    EachFault(
        name, Fault::kFile, TVLM_IO,
        [&](Injection& injection) {
          unlink(output.c_str());
          if (older) {
            const auto writer = std::fopen(output.c_str(), "wb");
            std::fputs("older", writer);
            std::fclose(writer);
          }
          return static_cast<tvlm_code>(injection.Call(write).code());
        },
        [&](tvlm_code code) {
          const Result<std::string> found = ReadTextFile(output, 64 << 20);
          if (code == TVLM_OK) {
            REQUIRE(found.ok());
            if (!whole.has_value()) whole = *found;
            REQUIRE((*found == *whole));
          } else {
            CHECK(found.ok() == older);
            if (found.ok()) CHECK(*found == "older");
          }
          CHECK(!IsFile(FileWriter::PartialPath(output)));
          CHECK(OpenDescriptors() == descriptors);
        });
  }
}

TEST_CASE("A conversion whose files fail leaves none, or the older one", "[faults][file]") {
  const TempFolder temp;
  const ConvertOptions options = TinyConversion(temp.File("model.gguf"));
  EachWrite("convert", options.output, [&] { return Convert(options, {}); });
}

TEST_CASE("Packing a model file for mapping, likewise", "[faults][file]") {
  const TempFolder temp;
  const std::string output = temp.File("mapped.gguf"), small = temp.File("small.gguf");
  REQUIRE(Convert(TinyConversion(small), {}).ok());
  EachWrite("pack", output, [&] { return Repack(small, output, {}); });
}

}  // namespace
}  // namespace tinyvlm
