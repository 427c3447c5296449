#include "cli/bench_constrain.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "backend/run_to_end.h"
#include "backend/sampler.h"
#include "base/clock.h"
#include "base/json.h"
#include "constrain/response_format.h"
#include "constrain/token_trie.h"
#include "constrain/vocabulary_constraint.h"

namespace tinyvlm {

namespace {

struct NamedFormat {
  const char* name;
  const char* json;  // {WORDS}: a hundred words, as members of a list
};

constexpr std::array<NamedFormat, 13> kFormats{{
    {"text in an object",
     R"({"schema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}})"},
    {"text, maxLength 40", R"({"schema":{"type":"string","minLength":40,"maxLength":40}})"},
    {"text, maxLength 200", R"({"schema":{"type":"string","minLength":20,"maxLength":200}})"},
    {"text, maxLength 2000", R"({"schema":{"type":"string","maxLength":2000}})"},
    {"text, pattern",
     R"({"schema":{"type":"string","pattern":"^[A-Z][a-z]{1,30}( [a-z]{1,30}){9,60}$"}})"},
    {"integer with bounds",
     R"({"schema":{"type":"array","items":{"type":"integer","minimum":-3,"maximum":123456}}})"},
    {"number with bounds",
     R"({"schema":{"type":"array","items":{"type":"number","minimum":0.5,"maximum":99.25}}})"},
    {"enum of 100 words", R"({"schema":{"type":"array","items":{"enum":[{WORDS}]}}})"},
    {"array of objects",
     R"({"schema":{"type":"array","items":{"type":"object","properties":{
        "label":{"type":"string","maxLength":30},"count":{"type":"integer","minimum":1},
        "box":{"type":"array","items":{"type":"number"},"minItems":4,"maxItems":4}},
        "required":["label","count"]}}})"},
    {"choices", R"({"choices":[{WORDS}]})"},
    {"pattern \\d{3}-\\d{4}", R"({"pattern":"\\d{3}-\\d{4}"})"},
    {"pattern (.|\\n){1,500}", R"({"pattern":"(.|\\n){1,500}"})"},
    {"many optional properties",
     R"({"schema":{"type":"object","properties":{
        "title":{"type":"string"},"kind":{"enum":["a","b"]},"year":{"type":"integer"},
        "place":{"type":"object","properties":{"city":{"type":"string","maxLength":60},
          "country":{"type":["string","null"]},"lat":{"type":"number"},"lon":{"type":"number"},
          "tags":{"type":"array","items":{"type":"string","maxLength":20},"maxItems":9}}},
        "people":{"type":"array","items":{"type":"object","properties":{
          "name":{"type":"string","minLength":1,"maxLength":80},"age":{"type":"integer"},
          "email":{"type":"string","format":"email"},"born":{"type":"string","format":"date"},
          "notes":{"anyOf":[{"type":"string"},{"type":"null"},{"type":"boolean"}]}}}},
        "extra":{}},"additionalProperties":{"type":"string"}}})"},
}};

// Tokens that are followed of each format.
constexpr size_t kTokens = 400;

uint32_t NextRandom(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

std::string FormatJson(const NamedFormat& format) {
  std::string words;
  uint32_t state = 7;
  for (int i = 0; i < 100; ++i) {
    words += i == 0 ? "\"" : ",\"";
    for (uint32_t length = 3 + NextRandom(&state) % 9; length > 0; --length)
      words += "etaoinshrdlucmfwypvbg"[NextRandom(&state) % 21];
    words += '"';
  }
  std::string json = format.json;
  const std::string_view mark = "{WORDS}";
  if (const size_t at = json.find(mark); at != std::string::npos)
    json.replace(at, mark.size(), words);
  return json;
}

Result<std::unique_ptr<VocabularyConstraint>> MakeConstraint(const NamedFormat& format,
                                                             std::shared_ptr<const TokenTrie> trie,
                                                             const Model& model) {
  TVLM_ASSIGN_OR_RETURN(const Json json, ParseJson(FormatJson(format)));
  TVLM_ASSIGN_OR_RETURN(std::shared_ptr<const Grammar> grammar, ParseResponseFormat(json));
  return std::make_unique<VocabularyConstraint>(std::move(grammar), std::move(trie),
                                                *model.tokenizer(), model.stop_ids());
}

Result<std::shared_ptr<const TokenTrie>> MakeTrie(const Model& model) {
  if (model.tokenizer() == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "--work constrain: a model file with a tokenizer wanted, one without found");
  }
  return std::make_shared<const TokenTrie>(*model.tokenizer(), model.valid_ids());
}

bool IsStop(const Model& model, int32_t id) {
  const std::vector<int32_t>& ids = model.stop_ids();
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Milliseconds of each token, the first one's mask first. Answers that end are begun again.
Result<std::vector<double>> TimeTokens(VocabularyConstraint& constraint, const Model& model) {
  std::vector<double> times(kTokens);
  uint32_t state = 1;
  bool ended = true;
  for (size_t i = 0; i < kTokens; ++i) {
    if (ended) constraint.Start();
    double start = NowMs();
    TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> allowed, constraint.Allowed());
    times[i] = NowMs() - start;
    size_t id = NextRandom(&state) % allowed.size();
    while (allowed[id] == 0) id = (id + 1) % allowed.size();
    ended = IsStop(model, static_cast<int32_t>(id));
    if (ended) continue;
    start = NowMs();
    TVLM_RETURN_IF_ERROR(constraint.Push(static_cast<int32_t>(id)));
    if (i > 0) times[i] += NowMs() - start;
    ended = constraint.complete();
  }
  return times;
}

// What one decoder makes: tokens chosen greedily, each the next one's input.
class TimedAnswer {
 public:
  // Null: a free one.
  static Result<TimedAnswer> Create(const Model& model, VocabularyConstraint* constraint) {
    TVLM_ASSIGN_OR_RETURN(Sampler sampler,
                          Sampler::Create(SamplingOptions{}, model.decoder().vocabulary));
    return TimedAnswer(model, std::move(sampler), constraint);
  }

  // Answers that end are begun again.
  Status AddToken(Decoder& decoder) {
    const double start = NowMs();
    TVLM_RETURN_IF_ERROR(decoder.Begin({&row_, 1}));
    TVLM_RETURN_IF_ERROR(RunToEnd(decoder));
    std::span<const uint8_t> allowed;
    if (constraint_ != nullptr) {
      if (ended_) constraint_->Start();
      TVLM_ASSIGN_OR_RETURN(allowed, constraint_->Allowed());
    }
    TVLM_ASSIGN_OR_RETURN(row_.token, decoder.Choose(sampler_, model_.valid_ids(), {}, allowed));
    if (row_.token == Sampler::kNoToken)
      return Error(ErrorCode::kInternal, "the model computed values that are not numbers");
    if (constraint_ != nullptr) {
      ended_ = IsStop(model_, row_.token);
      if (!ended_) {
        TVLM_RETURN_IF_ERROR(constraint_->Push(row_.token));
        ended_ = constraint_->complete();
      }
    }
    ms_ += NowMs() - start;
    return Status();
  }

  double ms() const { return ms_; }

 private:
  TimedAnswer(const Model& model, Sampler sampler, VocabularyConstraint* constraint)
      : model_(model), sampler_(std::move(sampler)), constraint_(constraint) {}

  const Model& model_;
  Sampler sampler_;
  VocabularyConstraint* const constraint_;
  DecoderRow row_{.token = 0};
  bool ended_ = true;
  double ms_ = 0;
};

}  // namespace

Result<std::vector<ConstraintCost>> BenchConstraint(const Model& model, size_t rounds) {
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<const TokenTrie> trie, MakeTrie(model));
  std::vector<ConstraintCost> costs;
  for (const NamedFormat& format : kFormats) {
    ConstraintCost cost{format.name};
    std::vector<double> best;
    for (size_t round = 0; round < rounds; ++round) {
      const double start = NowMs();
      TVLM_ASSIGN_OR_RETURN(const auto constraint, MakeConstraint(format, trie, model));
      const double read_ms = NowMs() - start;
      cost.read_ms = round == 0 ? read_ms : std::min(cost.read_ms, read_ms);
      TVLM_ASSIGN_OR_RETURN(const std::vector<double> times, TimeTokens(*constraint, model));
      if (round == 0) best = times;
      for (size_t i = 0; i < times.size(); ++i) best[i] = std::min(best[i], times[i]);
    }
    cost.first_ms = best[0];
    cost.tokens = best.size() - 1;
    for (size_t i = 1; i < best.size(); ++i) {
      cost.average_ms += best[i] / static_cast<double>(cost.tokens);
      cost.worst_ms = std::max(cost.worst_ms, best[i]);
    }
    costs.push_back(cost);
  }
  return costs;
}

Result<std::vector<ConstrainedDecode>> BenchConstrainedDecode(const Model& model, Decoder& decoder,
                                                              size_t prefix, size_t tokens,
                                                              size_t rounds) {
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<const TokenTrie> trie, MakeTrie(model));
  std::vector<ConstrainedDecode> decodes;
  for (const NamedFormat& format : kFormats) {
    std::vector<double> free_ms, constrained_ms;
    for (size_t round = 0; round < rounds; ++round) {
      // A new one each time: a format's first answer is the slow one.
      TVLM_ASSIGN_OR_RETURN(const auto constraint, MakeConstraint(format, trie, model));
      TVLM_ASSIGN_OR_RETURN(TimedAnswer free, TimedAnswer::Create(model, nullptr));
      TVLM_ASSIGN_OR_RETURN(TimedAnswer constrained, TimedAnswer::Create(model, constraint.get()));
      for (size_t i = 0; i < tokens; ++i) {
        for (TimedAnswer* const answer : {&free, &constrained}) {
          decoder.Rewind(prefix + i);
          TVLM_RETURN_IF_ERROR(answer->AddToken(decoder));
        }
      }
      free_ms.push_back(free.ms());
      constrained_ms.push_back(constrained.ms());
    }
    ConstrainedDecode decode{format.name, SpreadOf(std::move(free_ms)),
                             SpreadOf(std::move(constrained_ms))};
    decode.ratio = decode.free_ms.median / decode.constrained_ms.median;
    decodes.push_back(decode);
  }
  return decodes;
}

void PrintConstraintCosts(const std::vector<ConstraintCost>& costs) {
  std::printf(
      "\n| constraint | read, ms | first mask, ms | each further token, ms | the slowest "
      "|\n|---|---|---|---|---|\n");
  for (const ConstraintCost& cost : costs)
    std::printf("| %s | %.3f | %.3f | %.3f | %.3f |\n", cost.format, cost.read_ms, cost.first_ms,
                cost.average_ms, cost.worst_ms);
}

void PrintConstrainedDecodes(const std::vector<ConstrainedDecode>& decodes, size_t tokens) {
  std::printf(
      "\n| %zu tokens | free, ms, median (range) | constrained, ms | speed, constrained / free "
      "|\n|---|---|---|---|\n",
      tokens);
  for (const ConstrainedDecode& decode : decodes) {
    const Spread &free = decode.free_ms, &constrained = decode.constrained_ms;
    std::printf("| %s | %.1f (%.1f to %.1f) | %.1f (%.1f to %.1f) | %.3f |\n", decode.format,
                free.median, free.low, free.high, constrained.median, constrained.low,
                constrained.high, decode.ratio);
  }
}

std::vector<JsonWriter> ConstraintReport(const std::vector<ConstraintCost>& costs) {
  std::vector<JsonWriter> reports;
  for (const ConstraintCost& cost : costs) {
    JsonWriter report;
    report.String("format", cost.format)
        .Number("readMs", cost.read_ms)
        .Number("firstMs", cost.first_ms)
        .Number("averageMs", cost.average_ms)
        .Number("worstMs", cost.worst_ms);
    reports.push_back(report.Number("tokens", static_cast<double>(cost.tokens)));
  }
  return reports;
}

std::vector<JsonWriter> ConstrainedDecodeReport(const std::vector<ConstrainedDecode>& decodes) {
  std::vector<JsonWriter> reports;
  for (const ConstrainedDecode& decode : decodes) {
    JsonWriter report;
    report.String("format", decode.format)
        .Object("freeMs", SpreadReport(decode.free_ms))
        .Object("constrainedMs", SpreadReport(decode.constrained_ms));
    reports.push_back(report.Number("ratio", decode.ratio));
  }
  return reports;
}

}  // namespace tinyvlm
