// The JSON reader: what it takes it writes again, and reads that as the same.
#include <string>

#include "base/json.h"
#include "fuzz/fuzz.h"
#include "text/utf8.h"

using namespace tinyvlm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const ExactCopy copy({data, size});
  const Result<Json> json = ParseJson(TextOf(copy.bytes()));
  MustBeTold(json.status());
  MustHold(IsValidUtf8(json.status().message()), "an error is UTF-8");
  if (!json.ok()) return 0;
  MustHold(IsValidUtf8(TextOf({data, size})), "only UTF-8 is taken");
  for (const bool sorted : {false, true}) {
    std::string once, twice;
    AppendJson(*json, sorted, &once);
    const Result<Json> again = ParseJson(once);
    MustHold(again.ok(), "what is written is read");
    AppendJson(*again, sorted, &twice);
    MustHold(once == twice, "writing again changes nothing");
  }
  for (const char* const key : {"", "a", "model_type"}) {
    MustBeTold(json->GetBool(key).status());
    MustBeTold(json->GetNumber(key).status());
    MustBeTold(json->GetInt(key, -5, 1 << 20).status());
    MustBeTold(json->GetString(key).status());
  }
  if (json->number() && json->int64())
    MustHold(static_cast<double>(*json->int64()) == *json->number(), "a whole number is one value");
  return 0;
}
