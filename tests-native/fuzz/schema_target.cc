// Formats of answers: JSON Schemas, choices, patterns. The first byte says whether the rest is the
// JSON of a format, or choices by which a schema is put together whose texts can be validated.
#include <fuzzer/FuzzedDataProvider.h>

#include <random>
#include <string>

#include "base/json.h"
#include "constrain/json_validator.h"
#include "constrain/make_text.h"
#include "constrain/plain_follower.h"
#include "constrain/response_format.h"
#include "fuzz/fuzz.h"
#include "text/utf8.h"

using namespace tinyvlm;

namespace {

// A schema of keywords that the validator of the tests knows.
class SchemaMaker {
 public:
  explicit SchemaMaker(FuzzedDataProvider& input) : input_(input) {}

  std::string Make(int depth) {
    const int kind = input_.ConsumeIntegralInRange(0, depth > 0 ? 11 : 5);
    switch (kind) {
      case 0:
        return input_.ConsumeBool() ? "true" : "{\"type\":\"null\"}";
      case 1:
        return "{\"type\":\"boolean\"}";
      case 2:
        return "{\"type\":\"integer\"" + Bounds("minimum", "maximum", -2000, 2000) + "}";
      case 3:
        return "{\"type\":\"number\"" + Decimals() + "}";
      case 4:
        return "{\"type\":\"string\"" + Bounds("minLength", "maxLength", 0, 9) + "}";
      case 5:
        return "{\"enum\":[" + Value() + "," + Value() + "]}";
      case 6:
        return "{\"type\":\"array\",\"items\":" + Make(depth - 1) +
               Bounds("minItems", "maxItems", 0, 4) + "}";
      case 7:
        return "{\"type\":\"array\",\"prefixItems\":[" + Make(depth - 1) + "," + Make(depth - 1) +
               "],\"items\":" + (input_.ConsumeBool() ? "false" : Make(depth - 1)) + "}";
      case 8:
      case 9:
        return "{\"type\":\"object\",\"properties\":{\"a\":" + Make(depth - 1) +
               ",\"ab\":" + Make(depth - 1) + "}" +
               (input_.ConsumeBool() ? ",\"required\":[\"a\"]" : "") +
               (input_.ConsumeBool() ? ",\"additionalProperties\":" + Make(depth - 1) : "") + "}";
      case 10:
        return "{\"anyOf\":[" + Make(depth - 1) + "," + Make(depth - 1) + "]}";
      default:
        return "{\"allOf\":[" + Make(depth - 1) + "," + Make(depth - 1) + "]}";
    }
  }

 private:
  std::string Bounds(const char* low, const char* high, int least, int most) {
    std::string out;
    if (input_.ConsumeBool())
      out += Format(",\"%s\":%d", low, input_.ConsumeIntegralInRange(least, most));
    if (input_.ConsumeBool())
      out += Format(",\"%s\":%d", high, input_.ConsumeIntegralInRange(least, most));
    return out;
  }
  std::string Decimals() {
    static constexpr const char* kKeys[] = {"minimum", "maximum", "exclusiveMinimum",
                                            "exclusiveMaximum"};
    std::string out;
    for (const char* const key : kKeys) {
      if (input_.ConsumeBool())
        out += Format(",\"%s\":%d.%u", key, input_.ConsumeIntegralInRange(-120, 120),
                      input_.ConsumeIntegralInRange(0u, 999u));
    }
    return out;
  }
  std::string Value() {
    switch (input_.ConsumeIntegralInRange(0, 4)) {
      case 0:
        return "null";
      case 1:
        return Format("%d", input_.ConsumeIntegralInRange(-9, 9));
      case 2:
        return "\"" + std::string(input_.ConsumeIntegralInRange<size_t>(0, 3), 'x') + "\"";
      case 3:
        return "{\"k\":1.5}";
      default:
        return "[true]";
    }
  }
  FuzzedDataProvider& input_;
};

// Makes a text and holds it against the plain follower; none where the format allows none, or only
// long ones.
std::optional<std::string> TextFor(const Json& format, std::mt19937& random, size_t length) {
  const auto grammar = ParseResponseFormat(format);
  MustBeTold(grammar.status());
  MustHold(IsValidUtf8(grammar.status().message()), "an error is UTF-8");
  if (!grammar.ok()) return std::nullopt;
  Matcher matcher(*grammar);
  std::optional<std::string> text = MakeText(matcher, random, length);
  if (!text.has_value()) return std::nullopt;
  MustHold(IsValidUtf8(*text), "a text is UTF-8");
  MustHold(Allows(matcher, *text), "what was made is allowed");
  if ((*grammar)->states() < 300 && text->size() < 60) {
    const PlainFollower plain(*grammar);
    MustHold(plain.accepts(plain.Next(plain.start(), *text)), "the plain follower accepts it");
  }
  return text;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  if (size < 3) return 0;
  std::mt19937 random(data[1]);
  const size_t length = data[2] % 64;
  if (data[0] % 2 == 0) {
    const ExactCopy copy({data + 3, size - 3});
    const Result<Json> json = ParseJson(TextOf(copy.bytes()));
    if (!json.ok()) return 0;
    const std::optional<std::string> text = TextFor(*json, random, length);
    if (text.has_value() && json->Find("schema") != nullptr)
      MustHold(ParseJson(*text).ok(), "a text of a schema is JSON");
    return 0;
  }
  FuzzedDataProvider input(data + 3, size - 3);
  const std::string schema = SchemaMaker(input).Make(3);
  const Result<Json> parsed = ParseJson(schema);
  MustHold(parsed.ok(), "the maker makes JSON");
  const std::optional<std::string> text =
      TextFor(Json(Json::Object{{"schema", *parsed}}), random, length);
  if (!text.has_value()) return 0;
  const Result<Json> value = ParseJson(*text);
  MustHold(value.ok(), "a text of a schema is JSON");
  if (!JsonValidator(*parsed).Validates(*value)) {
    std::fprintf(stderr, "%s: %s\n", schema.c_str(), text->c_str());
    MustHold(false, "a text of a schema validates");
  }
  return 0;
}
