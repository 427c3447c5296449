// Flags that are options of the engine: --top-p is "topP" in JSON. The list is generated from
// engine/options.json (option_flag_table.h).
#ifndef TINYVLM_CLI_OPTION_FLAGS_H_
#define TINYVLM_CLI_OPTION_FLAGS_H_

#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/status.h"
#include "cli/flags.h"

namespace tinyvlm {

// Who reads an option: one of the engine's structs (SessionOptions, ...), or the command itself.
enum class OptionScope { kModel, kSession, kAnswer, kSampling, kCaller };

// What a flag takes; kTexts: a text, and the flag may be repeated.
enum class FlagKind { kInteger, kNumber, kSwitch, kText, kTexts };

struct OptionFlag {
  const char* flag;  // "--top-p"
  const char* key;   // in JSON: "topP"
  OptionScope scope;
  FlagKind kind;
};

// Adds the flags of all options to lists for Flags::Parse.
void AddOptionFlags(std::vector<std::string_view>* values, std::vector<std::string_view>* switches);

// Lines about the flags of all options, for a help text.
const char* OptionFlagsHelp();

// Writes the given flags of `scope` to `json`, under their keys. Ranges are checked by the reader
// of the JSON. Errors: invalid_argument where a number is expected and another text found.
Status WriteOptions(const Flags& flags, OptionScope scope, JsonWriter* json);

// The same error, naming the flag where its message begins with an option's key ("topP: ...").
Status NameFlag(const Status& status);

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_OPTION_FLAGS_H_
