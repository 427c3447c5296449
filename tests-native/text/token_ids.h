// Ids of texts in tests, and the texts and ids that stand beside llama.cpp's vocabulary files.
#ifndef TINYVLM_TESTS_TEXT_TOKEN_IDS_H_
#define TINYVLM_TESTS_TEXT_TOKEN_IDS_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "shared_data.h"
#include "text/model_writer.h"
#include "text/tokenizer.h"

namespace tinyvlm {

using Ids = std::vector<int32_t>;

inline Ids Encode(const Tokenizer& tokenizer, std::string_view text, bool parse_special = false) {
  Result<Ids> ids = tokenizer.Encode(text, parse_special);
  REQUIRE(ids.ok());
  return *ids;
}

inline Ids ReadIds(const Json& json) {
  Ids ids;
  for (const Json& id : *json.array()) ids.push_back(static_cast<int32_t>(*id.int64()));
  return ids;
}

// How many texts, id sequences and prompts a file of goldens/tokenizer holds, as its manifest says.
struct GoldenCounts {
  size_t cases = 0, decodes = 0, prompts = 0;
};

inline GoldenCounts ReadGoldenCounts(const std::string& file) {
  const auto manifest = ParseJson(ReadWholeFile(GoldenPath("tokenizer/manifest.json")));
  REQUIRE(manifest.ok());
  const Json* const counts = manifest->Find("files")->Find(file);
  REQUIRE(counts != nullptr);
  const auto count = [&](const char* key) {
    const Json* const value = counts->Find(key);
    return value == nullptr ? 0 : static_cast<size_t>(*value->uint64());
  };
  const GoldenCounts found{count("cases"), count("decode"), count("prompts")};
  REQUIRE(found.cases > 0);
  return found;
}

struct VocabularyCase {
  std::string text;
  Ids ids;
};

// FILE.inp holds texts, divided by a line; FILE.out the ids of each in a line.
inline std::vector<VocabularyCase> ReadVocabularyCases(const std::filesystem::path& file) {
  const std::string texts = ReadWholeFile(file.string() + ".inp");
  std::ifstream lines(file.string() + ".out");
  const std::string_view divider = "\n__ggml_vocab_test__\n";
  std::vector<VocabularyCase> cases;
  for (size_t at = 0; at < texts.size();) {
    const size_t end = std::min(texts.find(divider, at), texts.size());
    VocabularyCase one{texts.substr(at, end - at), {}};
    at = end + divider.size();
    std::string line;
    REQUIRE(std::getline(lines, line));
    std::istringstream words(line);
    for (int32_t id = 0; words >> id;) one.ids.push_back(id);
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_TEXT_TOKEN_IDS_H_
