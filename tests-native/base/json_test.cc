#include "base/json.h"

#include <clocale>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/json_writer.h"
#include "catch_amalgamated.hpp"
#include "comma_locale.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

Json Parse(std::string_view text) {
  Result<Json> json = ParseJson(text);
  INFO(text << ": " << json.status().message());
  REQUIRE(json.ok());
  return std::move(json).value();
}

bool Fails(std::string_view text) {
  const Result<Json> json = ParseJson(text);
  return !json.ok() && json.status().code() == ErrorCode::kInvalidFile &&
         !json.status().message().empty();
}

TEST_CASE("JSON values of every kind are read", "[base][json]") {
  const Json json = Parse(R"( {"a": [1, -2.5e1, true, false, null, "x"], "b": {"c": {}}} )");
  const Json::Array& items = *json.Find("a")->array();
  REQUIRE(items.size() == 6);
  CHECK(items[0].number() == 1.0);
  CHECK(items[1].number() == -25.0);
  CHECK(items[2].boolean() == true);
  CHECK(items[3].boolean() == false);
  CHECK(items[4].is_null());
  CHECK(*items[5].string() == "x");
  CHECK(json.Find("b")->Find("c")->object()->empty());
  CHECK(json.Find("z") == nullptr);
  CHECK(items[0].Find("z") == nullptr);
  CHECK_FALSE(items[5].number().has_value());
}

TEST_CASE("JSON integers are exact over 64 bits", "[base][json]") {
  CHECK(Parse("18446744073709551615").uint64() == UINT64_MAX);
  CHECK_FALSE(Parse("18446744073709551616").uint64().has_value());
  CHECK(Parse("18446744073709551616").number() == 18446744073709551616.0);
  CHECK(Parse("9223372036854775807").int64() == INT64_MAX);
  CHECK_FALSE(Parse("9223372036854775808").int64().has_value());
  CHECK(Parse("-9223372036854775808").int64() == INT64_MIN);
  CHECK_FALSE(Parse("-9223372036854775809").int64().has_value());
  CHECK(Parse("9007199254740993").int64() == 9007199254740993);
  CHECK_FALSE(Parse("-1").uint64().has_value());
  CHECK(Parse("-0").uint64() == 0u);
  CHECK_FALSE(Parse("1.0").int64().has_value());
  CHECK_FALSE(Parse("1e2").int64().has_value());
}

#ifndef __EMSCRIPTEN__
TEST_CASE("JSON numbers have points whatever the program's locale", "[base][json]") {
  const CommaLocale locale;
  const auto said = [] {
    char text[16];
    std::snprintf(text, sizeof(text), "%.1f", 0.5);
    return std::string(text);
  };
  REQUIRE(said() == "0,5");
  const Json json = Parse(R"({"a":-2.5e-3,"b":[0.1,1e30,12.0,1.5]})");
  CHECK(json.Find("a")->number() == -2.5e-3);
  CHECK((*json.Find("b")->array())[0].number() == 0.1);
  CHECK((*json.Find("b")->array())[3].number() == 1.5);
  CHECK(ParseDouble("0.1") == 0.1);
  std::string written;
  AppendJson(json, false, &written);
  CHECK(written == R"({"a":-0.0025,"b":[0.1,1e+30,12,1.5]})");
  CHECK(JsonWriter().Number("ms", 12.25).Finish() == R"({"ms":12.25})");
  CHECK(Error(ErrorCode::kInternal, "%.1f MB", 1.5).message() == "1.5 MB");
  CHECK(said() == "0,5");  // the program's own numbers are as it wants them
}
#endif

TEST_CASE("JSON numbers are the nearest doubles", "[base][json]") {
  const std::string zeros(400, '0');
  CHECK(Parse("0.1").number() == 0.1);
  CHECK(Parse("1e-6").number() == 1e-6);
  CHECK(Parse("2.2250738585072011e-308").number() == 2.2250738585072011e-308);
  CHECK(Parse("4.9e-324").number() == 4.9e-324);
  CHECK(Parse("1e-400").number() == 0.0);
  CHECK(Parse("1.7976931348623157e308").number() == 1.7976931348623157e308);
  CHECK(Parse("-0." + zeros + "1").number() == 0.0);
  CHECK(Fails("1e400"));
  CHECK(Fails("1" + zeros));
  CHECK(Fails("-1e400"));
}

TEST_CASE("JSON strings: escapes become UTF-8, unpaired surrogates and bad UTF-8 are refused",
          "[base][json]") {
  CHECK(*Parse(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00")").string() ==
        "\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001F600");
  CHECK(*Parse("\"\\u0000\"").string() == std::string(1, '\0'));
  CHECK(*Parse("\"\xf4\x8f\xbf\xbf\"").string() == "\xf4\x8f\xbf\xbf");
  for (const char* bad :
       {R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", R"("\ud83dx")", R"("\u12g4")",
        R"("\x41")", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
        "\"\xff\"", "\"\x80\"", "\"a\nb\"", "\"abc", "\"abc\\"}) {
    INFO(bad);
    CHECK(Fails(bad));
  }
}

TEST_CASE("A repeated JSON key: the last one is found, all are listed", "[base][json]") {
  const Json json = Parse(R"({"a":1,"b":2,"a":3})");
  CHECK(json.Find("a")->int64() == 3);
  CHECK(json.object()->size() == 3);
}

TEST_CASE("JSON nests 64 deep and no deeper", "[base][json]") {
  CHECK(ParseJson(std::string(64, '[') + std::string(64, ']')).ok());
  CHECK(Fails(std::string(65, '[') + std::string(65, ']')));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK(Fails(objects));
}

TEST_CASE("Required members name the key, what was wanted and what was found", "[base][json]") {
  const Json json = Parse(R"({"n": 5, "s": "x", "f": 2.5, "t": true, "big": 9007199254740993})");
  CHECK(*json.GetInt("n", 0, 10) == 5);
  CHECK(*json.GetNumber("f") == 2.5);
  CHECK(*json.GetString("s") == "x");
  CHECK(*json.GetBool("t"));
  CHECK(*json.GetInt("big", 0, INT64_MAX) == 9007199254740993);
  CHECK(json.GetInt("missing", 0, 10).status().code() == ErrorCode::kNotFound);
  CHECK(json.GetInt("missing", 0, 10).status().message() == "missing is missing");
  CHECK(json.GetInt("n", 6, 10).status().message() ==
        "n: a whole number from 6 to 10 wanted, 5 found");
  CHECK(json.GetInt("f", 0, 10, ErrorCode::kInvalidArgument).status().code() ==
        ErrorCode::kInvalidArgument);
  CHECK(json.GetInt("s", 0, 10).status().message() == "s: a whole number wanted, a string found");
  CHECK_FALSE(json.GetString("n").ok());
  CHECK_FALSE(json.GetBool("n").ok());
  CHECK_FALSE(json.GetNumber("s").ok());
}

TEST_CASE("Written JSON strings are read back", "[base][json]") {
  std::string text;
  for (int c = 0; c < 128; ++c) text += static_cast<char>(c);
  text += "\u00e9\U0001F600";
  std::string out;
  AppendJsonString(text, &out);
  CHECK(*Parse(out).string() == text);
}

TEST_CASE("JSONTestSuite: every y_ file is read, every n_ file refused", "[base][json]") {
  const auto folder = SharedPath("data/formats/JSONTestSuite/test_parsing");
  size_t read = 0, refused = 0, either = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    std::ifstream stream(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream),
                           std::istreambuf_iterator<char>()};
    const bool ok = ParseJson(text).ok();
    INFO(name);
    if (name[0] == 'y') {
      CHECK(ok);
      ++read;
    } else if (name[0] == 'n') {
      CHECK_FALSE(ok);
      ++refused;
    } else {
      ++either;
    }
    // Cut anywhere, a document never crashes the reader.
    for (size_t length = 0; length < std::min<size_t>(text.size(), 300); ++length)
      static_cast<void>(ParseJson(std::string_view(text).substr(0, length)));
  }
  CHECK(read == 95);
  CHECK(refused == 188);
  CHECK(either == 35);
}

TEST_CASE("Values are written as compact JSON, with as few digits as they take", "[base][json]") {
  const auto rewritten = [](std::string_view text, bool sort_keys) {
    std::string written;
    AppendJson(*ParseJson(text), sort_keys, &written);
    return written;
  };
  const char* const text =
      R"( { "b" : [ 1.0, -0.1, 1e21, 9007199254740993, [ ], { } ], "a" : "é\n\"" , "c" : null })";
  CHECK(rewritten(text, false) ==
        R"({"b":[1,-0.1,1e+21,9007199254740993,[],{}],"a":"é\n\"","c":null})");
  CHECK(rewritten(text, true) ==
        R"({"a":"é\n\"","b":[1,-0.1,1e+21,9007199254740993,[],{}],"c":null})");
  CHECK(rewritten("true", true) == "true");
  CHECK(rewritten("0.30000000000000004", true) == "0.30000000000000004");
  CHECK(rewritten("[0, -0, -0.0, 0e5, 1e15, 1000000000000000, 1e18, 1000000000000000000]", true) ==
        "[0,0,0,0,1000000000000000,1000000000000000,1000000000000000000,1000000000000000000]");
  CHECK(rewritten("[1e19, 10000000000000000000]", true) == "[1e+19,1e+19]");
}

}  // namespace
}  // namespace tinyvlm
