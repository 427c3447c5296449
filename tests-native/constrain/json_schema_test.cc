#include "constrain/json_schema.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "comma_locale.h"
#include "constrain/follow.h"
#include "constrain/json_validator.h"
#include "constrain/schemas.h"

namespace tinyvlm {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("Every text of a schema parses and validates", "[constrain][json_schema]") {
  std::mt19937 random(3);
  size_t texts = 0;
  for (const char* const schema : kSchemas) {
    const Json parsed = ParsedJson(schema);
    const JsonValidator validator(parsed);
    Matcher matcher(GrammarOfSchema(schema));
    for (int i = 0; i < 40; ++i, ++texts) {
      const std::string text = MadeText(matcher, random, random() % 60);
      const auto value = ParseJson(text);
      INFO(schema << ": " << text << ": " << value.status().message());
      REQUIRE(value.ok());
      REQUIRE(validator.Validates(*value));
    }
  }
  CHECK(texts >= 1000);
}

TEST_CASE("A schema allows the texts that it should, and no others", "[constrain][json_schema]") {
  struct Case {
    const char* schema;
    std::vector<const char*> allowed, refused;
  };
  const std::vector<Case> cases = {
      {R"({"type":"integer","minimum":-12,"maximum":107})",
       {"-12", "-9", "-1", "0", "7", "99", "107"},
       {"-13", "-0", "00", "108", "1.0", "1e1", "", "-"}},
      {R"({"type":"integer"})",
       {"0", "9007199254740991", "-9007199254740991"},
       {"9007199254740992", "+1", "01"}},
      {R"({"type":"number","minimum":0.1,"exclusiveMaximum":2})",
       {"0.1", "0.10", "1", "1.999999", "0.2"},
       {"0.09", "2", "2.0", "0", "1e0", ".5", "1."}},
      {R"({"type":"number"})",
       {"-0.5e-7", "1E+20", "12", "0.123456789012345"},
       {"1e100", "0.1234567890123456", "-", "1e", "NaN"}},
      {R"({"type":"string"})",
       {R"("a\n\u00e9\ud83d\uDE00é😀\/")", R"("")"},
       {"\"\n\"", R"("\x")", R"("\ud83d")", R"("\udE00")", R"("\ud83dx")", "\"\xc3\"",
        "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"", "a"}},
      {R"({"type":"string","minLength":2,"maxLength":2})",
       {R"("😀é")", R"("\ud83d\ude00x")", R"("\n\\")"},
       {R"("😀")", R"("abc")"}},
      {R"({"type":"string","pattern":"^[\"\n😀]+$"})", {R"("\"\n😀")"}, {R"("x")", R"("\u000a")"}},
      {R"({"type":"string","pattern":"^\u0001$"})", {R"("\u0001")"}, {"\"\x01\""}},
      {R"({"properties":{"a":{"type":"null"},"b":{"type":"null"}},"type":"object"})",
       {"{}", R"({"a":null})", R"({"b":null})", R"({"a":null,"b":null})"},
       {R"({"b":null,"a":null})", R"({"a": null})", R"({"c":1})", R"({"a":null,})",
        R"({,"b":null})", R"({"a":null,"a":null})"}},
      {R"({"properties":{"ab":{},"a\"":{}},"additionalProperties":{"type":"null"},
          "required":["ab"]})",
       {R"({"ab":1,"abc":null,"a":null,"":null})", R"({"ab":1,"\n":null})"},
       {R"({"ab":1,"ab":null})", R"({"ab":1,"\u0061b":null})", R"({"ab":1,"a\"":null,"a\"":null})",
        R"({"ab":1,"x":1})", R"({"abc":null})"}},
      {R"({"type":"array","items":{"type":"null"},"minItems":1,"maxItems":2})",
       {"[null]", "[null,null]"},
       {"[]", "[null,]", "[,null]", "[null,null,null]", "[null, null]"}},
      {R"({"prefixItems":[{"const":1},{"const":2}],"type":"array"})",
       {"[]", "[1]", "[1,2]"},
       {"[2]", "[1,2,3]"}},
      {R"({"$defs":{"list":{"anyOf":[{"type":"null"},{"type":"array","prefixItems":[{"$ref":
          "#/$defs/list"}],"minItems":1}]}},"$ref":"#/$defs/list"})",
       {"null", "[null]", "[[[null]]]"},
       {"[]", "[[null]", "[[]]", "[null]]"}},
      {R"({"enum":[{"b":1,"a":[true,0.5]},-2]})",
       {R"({"b":1,"a":[true,0.5]})", "-2"},
       {R"({"a":[true,0.5],"b":1})", "-2.0"}},
      {R"({"format":"date","type":"string"})",
       {R"("2024-02-29")", R"("2000-02-29")", R"("1999-12-31")"},
       {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")"}},
      {R"({"format":"date-time","type":"string"})",
       {R"("2024-02-29T23:59:59Z")", R"("2024-01-01t00:00:00.125+05:30")"},
       {R"("2024-02-29T24:00:00Z")", R"("2024-02-29 10:00:00Z")", R"("2024-02-29T10:00:00")"}},
      {R"({"format":"uuid","type":"string"})",
       {R"("123e4567-e89b-12d3-a456-426614174000")"},
       {R"("123e4567e89b12d3a456426614174000")"}},
      {R"({"format":"email","type":"string"})",
       {R"("a.b+c@example.org")"},
       {R"("a@b")", R"("a..b@c.de")", R"("@c.de")"}},
      {R"({"allOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{}},
          "additionalProperties":false}],"type":"object"})",
       {"{}", R"({"b":1})"},
       {R"({"a":1})"}},
  };
  for (const Case& c : cases) {
    Matcher matcher(GrammarOfSchema(c.schema));
    for (const char* const text : c.allowed) {
      INFO(c.schema << " " << text);
      CHECK(Allows(matcher, text));
    }
    for (const char* const text : c.refused) {
      INFO(c.schema << " " << text);
      CHECK_FALSE(Allows(matcher, text));
    }
  }
}

#ifndef __EMSCRIPTEN__
TEST_CASE("Bounds of numbers are those written, whatever the program's locale",
          "[constrain][json_schema]") {
  const CommaLocale locale;
  Matcher matcher(GrammarOfSchema(R"({"type":"number","minimum":0.1,"maximum":2.5})"));
  for (const char* const text : {"0.1", "0.2", "1", "2.49", "2.5"}) CHECK(Allows(matcher, text));
  for (const char* const text : {"0", "0.09", "0,2", "2.51", "3"})
    CHECK_FALSE(Allows(matcher, text));
}
#endif

TEST_CASE("Bounds of numbers hold for every decimal number between and beyond them",
          "[constrain][json_schema]") {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    // Hundredths, so that every number with two digits behind the point can be tried.
    const int a = static_cast<int>(random() % 4001) - 2000,
              b = a + static_cast<int>(random() % 900);
    const bool open_low = random() % 2, open_high = random() % 2, whole = random() % 2;
    const std::string schema =
        Format(R"({"type":"%s","%s":%.2f,"%s":%.2f})", whole ? "integer" : "number",
               open_low ? "exclusiveMinimum" : "minimum", a / 100.0,
               open_high ? "exclusiveMaximum" : "maximum", b / 100.0);
    const auto grammar = ParseResponseFormat(ParsedJson("{\"schema\":" + schema + "}"));
    if (!grammar.ok()) {  // no whole number between the two
      REQUIRE(whole);
      REQUIRE_THAT(grammar.status().message(), ContainsSubstring("none found"));
    }
    std::optional<Matcher> matcher;
    if (grammar.ok()) matcher.emplace(*grammar);
    for (int hundredths = a - 300; hundredths <= b + 300; ++hundredths) {
      const bool inside = (open_low ? hundredths > a : hundredths >= a) &&
                          (open_high ? hundredths < b : hundredths <= b);
      std::string text = Format("%.2f", hundredths / 100.0);
      if (hundredths % 100 == 0 && (whole || random() % 2)) text = Format("%d", hundredths / 100);
      const bool fits = inside && (!whole || hundredths % 100 == 0);
      if ((matcher && Allows(*matcher, text)) != fits) FAIL(schema << " " << text);
    }
  }
}

TEST_CASE("Keywords that are not supported are refused with their place",
          "[constrain][json_schema]") {
  const auto message = [](std::string_view schema) {
    return RefusalOf("{\"schema\":" + std::string(schema) + "}");
  };
  for (const char* const keyword : {"not",
                                    "if",
                                    "then",
                                    "else",
                                    "dependentRequired",
                                    "dependentSchemas",
                                    "patternProperties",
                                    "propertyNames",
                                    "unevaluatedProperties",
                                    "unevaluatedItems",
                                    "contains",
                                    "minContains",
                                    "maxContains",
                                    "uniqueItems",
                                    "multipleOf",
                                    "minProperties",
                                    "maxProperties",
                                    "$dynamicRef",
                                    "$dynamicAnchor",
                                    "$id",
                                    "$vocabulary",
                                    "additionalItems",
                                    "nonsense"}) {
    const std::string schema =
        Format(R"({"type":"object","properties":{"a/b~":{"%s":{}}}})", keyword);
    CHECK_THAT(message(schema), ContainsSubstring(Format(
                                    "#/properties/a~1b~0/%s: the keyword \"%s\" is not supported",
                                    keyword, keyword)));
  }
  CHECK_THAT(message(R"({"format":"ipv4"})"), ContainsSubstring("but for date, time"));
  CHECK_THAT(message(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"),
             ContainsSubstring("#/oneOf") && ContainsSubstring("may overlap, as 0 and 1 do"));
  CHECK_THAT(message(R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})"),
             ContainsSubstring("may overlap"));
  CHECK_THAT(message(R"({"enum":[[1]],"minItems":1})"), ContainsSubstring("beside other keywords"));
  CHECK_THAT(message(R"x({"items":{"pattern":"(?=a)"}})x"),
             ContainsSubstring("looking ahead") && ContainsSubstring("#/items/pattern"));
  CHECK_THAT(message(R"({"type":"number","minimum":1e300})"), ContainsSubstring("16 digits"));
}

TEST_CASE("What is no schema, or allows nothing, is refused", "[constrain][json_schema]") {
  const auto message = [](std::string_view schema) {
    return RefusalOf("{\"schema\":" + std::string(schema) + "}");
  };
  for (const char* const bad :
       {"1", R"({"type":"text"})", R"({"type":[]})", R"({"enum":[]})", R"({"enum":1})",
        R"({"minLength":-1})", R"({"maxItems":1.5})", R"({"minimum":"1"})", R"({"pattern":1})",
        R"({"properties":[]})", R"({"required":[1]})", R"({"required":"a"})", R"({"allOf":[]})",
        R"({"items":[{}],"type":"array"})", R"({"anyOf":{}})", R"({"$ref":1})",
        R"({"$ref":"#/$defs/none"})", R"({"$ref":"other.json"})",
        R"({"type":"null","type":"null"})"}) {
    INFO(bad);
    CHECK_THAT(message(bad), ContainsSubstring("wanted"));
  }
  for (const char* const nothing :
       {"false", R"({"type":"string","enum":[1]})",
        R"({"minLength":3,"maxLength":2,"type":"string"})",
        R"({"type":"integer","minimum":3,"maximum":2})",
        R"({"allOf":[{"type":"null"},{"type":"string"}]})",
        R"({"properties":{"a":{"$ref":"#"}},"required":["a"],"type":"object"})",
        R"({"type":"array","prefixItems":[false],"minItems":1})",
        R"({"additionalProperties":false,"required":["a"],"type":"object"})"}) {
    INFO(nothing);
    CHECK_THAT(message(nothing), ContainsSubstring("contradict each other"));
  }
  CHECK_THAT(message(R"({"$ref":"#"})"), ContainsSubstring("a circle found"));
  CHECK_THAT(message(R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})"),
             ContainsSubstring("a circle found"));
  const char* const through_definitions =
      R"({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"allOf":[{"$ref":"#/$defs/a"}]}},
          "$ref":"#/$defs/a"})";
  CHECK_THAT(message(through_definitions), ContainsSubstring("a circle found"));
}

TEST_CASE("Hostile schemas end in an error", "[constrain][json_schema]") {
  const auto refused = [](const std::string& schema) {
    return RefusalOf("{\"schema\":" + schema + "}") != "";
  };
  CHECK(refused(R"({"type":"string","minLength":1e9})"));
  CHECK(refused(R"({"type":"array","minItems":1e15,"items":{"type":"null"}})"));
  CHECK(refused(R"({"type":"string","pattern":"^(a{50}){50}$","maxLength":30000})"));
  // Alternatives of alternatives, 2 to the 40.
  std::string all = R"({"allOf":[)";
  for (int i = 0; i < 40; ++i)
    all += Format(R"(%s{"anyOf":[{"minimum":%d},{"maximum":%d}]})", i == 0 ? "" : ",", i, i + 100);
  CHECK(refused(all + "]}"));
  // Definitions that double.
  std::string doubling = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i)
    doubling +=
        Format(R"("d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"allOf":[{"$ref":"#/$defs/d%d"}]}]},)", i,
               i + 1, i + 1);
  CHECK(refused(doubling + R"("d40":{"type":"null"}}})"));
  std::string values = R"({"enum":[)";
  for (int i = 0; i < 30000; ++i) values += Format("%s%d", i == 0 ? "" : ",", i);
  CHECK(refused(values + "]}"));
  std::string names = R"({"required":[)";
  for (int i = 0; i < 3000; ++i) names += Format("%s\"%d\"", i == 0 ? "" : ",", i);
  CHECK(refused(names + "]}"));
}

// Each of about 10^6 bytes. What took minutes, or recursed until the stack of a wasm build was
// full, now ends at a limit of work that is counted, so no clock is read here.
TEST_CASE("Schemas of a million bytes end soon, whatever they say", "[constrain][json_schema]") {
  const auto list = [](size_t count, const auto& item) {
    std::string text = "[";
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text += ',';
      text += item(i);
    }
    return text + "]";
  };
  const auto message = [](const std::string& schema) {
    return RefusalOf("{\"schema\":" + schema + "}");
  };
  const auto name = [](size_t i) { return Format("\"k%zu\"", i); };
  CHECK_THAT(message("{\"required\":" + list(110'000, name) + "}"),
             ContainsSubstring("at most 1024 names wanted"));

  // Choices that are open at the same time, or one behind the other.
  const auto one_choice = [](size_t) { return std::string(R"({"anyOf":[true]})"); };
  CHECK_THAT(message("{\"allOf\":" + list(55'000, one_choice) + "}"),
             ContainsSubstring("64 choices at a time"));
  std::string chain = R"({"$ref":"#/$defs/k0","$defs":{)";
  for (size_t i = 0; i < 20'000; ++i)
    chain += Format(R"("k%zu":{"anyOf":[{"$ref":"#/$defs/k%zu"}]},)", i, i + 1);
  CHECK_THAT(message(chain + R"("k20000":{"type":"null"}}})"), ContainsSubstring("more found"));
  std::string references = R"({"$ref":"#/$defs/k0","$defs":{)";
  for (size_t i = 0; i < 20'000; ++i)
    references += Format(R"("k%zu":{"$ref":"#/$defs/k%zu"},)", i, i + 1);
  CHECK_THAT(message(references + R"("k20000":true}})"), ContainsSubstring("64 levels"));
  CHECK_THAT(message(R"({"oneOf":[{"$ref":"#"},{"type":"null"}]})"),
             ContainsSubstring("64 levels"));

  // References among many definitions.
  std::string many = R"({"$defs":{)";
  for (size_t i = 0; i < 30'000; ++i) many += Format(R"("k%zu":true,)", i);
  const auto reference = [](size_t) { return std::string(R"({"$ref":"#/$defs/k0"})"); };
  CHECK_THAT(message(many + R"("k":true},"allOf":)" + list(16'000, reference) + "}"),
             ContainsSubstring("more found"));

  // Alternatives that differ in the last of a thousand names.
  const auto alternative = [](size_t i) {
    std::string names;
    for (size_t j = 0; j < 1000; ++j) names += Format("\"%zu.%zu\",", i, j);
    return "{\"type\":\"object\",\"required\":[" + names +
           Format(R"("kind"],"properties":{"kind":{"const":%zu}}})", i);
  };
  CHECK_THAT(message("{\"oneOf\":" + list(110, alternative) + "}"),
             ContainsSubstring("more found"));

  // A place with a long name, named for each of many schemas.
  const std::string long_name(60'000, 'a');
  const auto anything = [](size_t) { return std::string("true"); };
  CHECK_THAT(message("{\"$defs\":{},\"properties\":{\"" + long_name +
                     "\":{\"anyOf\":" + list(180'000, anything) + "}}}"),
             ContainsSubstring("larger one found"));

  // Values that are held against a pattern with many states.
  const auto value = [](size_t i) { return '"' + std::string(500, 'a') + Format("%zu\"", i); };
  CHECK_THAT(message(R"({"pattern":"^(a?){8000}$","enum":)" + list(1900, value) + "}"),
             ContainsSubstring("more found"));
}

}  // namespace
}  // namespace tinyvlm
