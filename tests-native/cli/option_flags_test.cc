// Flags that are options: what JSON they become, and how mistakes are named.
#include "cli/option_flags.h"

#include <string>
#include <vector>

#include "api/request.h"
#include "catch_amalgamated.hpp"
#include "cli/option_flag_table.h"

namespace tinyvlm {
namespace {

Result<Flags> Parse(const std::vector<std::string>& arguments) {
  std::vector<std::string_view> values = {"--model"}, switches = {"--json"};
  AddOptionFlags(&values, &switches);
  return Flags::Parse(arguments, values, switches, 0, 2);
}

// The options of a scope as JSON, or the error's message.
std::string Write(const std::vector<std::string>& arguments, OptionScope scope) {
  const Result<Flags> flags = Parse(arguments);
  if (!flags.ok()) return flags.status().message();
  JsonWriter json;
  const Status status = WriteOptions(*flags, scope, &json);
  return status.ok() ? json.Finish() : status.message();
}

TEST_CASE("Flags become the options' JSON, each scope's own", "[cli]") {
  const std::vector<std::string> all = {"--top-p=0.25", "--seed",   "18446744073709551615",
                                        "--top-k",      "007",      "--temperature",
                                        "1e-1",         "--stop",   "a\"",
                                        "--stop",       "b",        "--max-tokens",
                                        "-000",         "--resize", "crop",
                                        "--context",    "0",        "--exact-preprocess",
                                        "--json"};
  CHECK(Write(all, OptionScope::kSampling) ==
        R"({"temperature":0.10000000000000001,"topK":7,"topP":0.25,"seed":18446744073709551615})");
  CHECK(Write(all, OptionScope::kAnswer) == R"({"maxTokens":-0,"stop":["a\"","b"]})");
  CHECK(Write(all, OptionScope::kSession) == R"({"context":0,"resize":"crop"})");
  CHECK(Write(all, OptionScope::kModel) == "{}");
}

TEST_CASE("What is no number is refused by its flag", "[cli]") {
  const auto write = [](const char* flag, const char* value) {
    return Write({flag, value}, OptionScope::kSampling);
  };
  for (const char* value : {"", "-", "1.5", "1e3", "0x10", "seven", "7 "})
    CHECK(write("--top-k", value) ==
          "--top-k: a whole number wanted, \"" + std::string(value) + "\" found");
  for (const char* value : {"", "warm", "1,5", "inf", "nan", "1e999"})
    CHECK(write("--temperature", value) ==
          "--temperature: a number wanted, \"" + std::string(value) + "\" found");
  CHECK(write("--topp", "1") == "unknown flag --topp; did you mean --top-p?");
}

TEST_CASE("Errors about an option name its flag, others stay", "[cli]") {
  const auto named = [](const char* message) {
    const Status status = NameFlag(Status(ErrorCode::kInvalidArgument, message));
    CHECK(status.code() == ErrorCode::kInvalidArgument);
    return status.message();
  };
  CHECK(named("topP: a number wanted") == "--top-p: a number wanted");
  CHECK(named("topPings: none") == "topPings: none");
  CHECK(named("no topP: at all") == "no topP: at all");
  CHECK(NameFlag(Status()).ok());
}

TEST_CASE("Every option of the engine is read under the key that its flag writes", "[cli]") {
  for (const OptionFlag& option : kOptionFlags) {
    INFO(option.flag);
    // A value of a kind that no option takes: an error about it says that the key is known.
    const std::string json = "{\"" + std::string(option.key) + "\":{}";
    Status status;
    switch (option.scope) {
      case OptionScope::kModel:
        status = ParseModelOptions((json + "}").c_str()).status();
        break;
      case OptionScope::kSession:
        status = ParseSessionOptions((json + "}").c_str(), 1).status();
        break;
      case OptionScope::kAnswer:
      case OptionScope::kSampling:
        status = ParseRequest((json + ",\"messages\":[]}").c_str()).status();
        break;
      case OptionScope::kCaller:
        continue;
    }
    CHECK(status.message().starts_with(std::string(option.key) + ":"));
    CHECK(status.message().ends_with("an object found"));
  }
}

}  // namespace
}  // namespace tinyvlm
