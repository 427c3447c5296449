#include "constrain/response_format.h"

#include "constrain/json_schema.h"
#include "constrain/json_text.h"
#include "constrain/pattern.h"

namespace tinyvlm {

namespace {

Status AddChoices(const Json& choices, Grammar& grammar) {
  const Json::Array* const list = choices.array();
  if (list == nullptr || list->empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: choices: a list of at least one text wanted, %s found",
                 list == nullptr ? choices.KindName() : "an empty one");
  }
  const Grammar::Rule rule = grammar.AddRule();
  for (const Json& choice : *list) {
    if (choice.string() == nullptr) {
      return Error(ErrorCode::kInvalidArgument,
                   "responseFormat: choices: texts wanted, %s found among them", choice.KindName());
    }
    grammar.AddLiteral(grammar.start(rule), *choice.string(), grammar.end(rule));
  }
  return Status();
}

Status AddPattern(const Json& pattern, Grammar& grammar) {
  if (pattern.string() == nullptr) {
    return Error(ErrorCode::kInvalidArgument, "responseFormat: pattern: a text wanted, %s found",
                 pattern.KindName());
  }
  PatternWork work;
  TVLM_ASSIGN_OR_RETURN(const CharAutomaton automaton,
                        ParsePattern(*pattern.string(), PatternMatch::kWhole, &work));
  const Grammar::Rule rule = grammar.AddRule();
  JsonText(grammar).AddPlain(automaton, grammar.start(rule), grammar.end(rule));
  return Status();
}

}  // namespace

Result<std::shared_ptr<const Grammar>> ParseResponseFormat(const Json& format) {
  if (format.object() == nullptr || format.object()->size() != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: an object with one key (schema, choices or pattern) wanted, %s "
                 "found",
                 format.object() == nullptr ? format.KindName() : "another number of keys");
  }
  const auto& [key, value] = format.object()->front();
  auto grammar = std::make_shared<Grammar>();
  if (key == "schema") {
    TVLM_RETURN_IF_ERROR(AddJsonSchema(value, *grammar));
  } else if (key == "choices") {
    TVLM_RETURN_IF_ERROR(AddChoices(value, *grammar));
  } else if (key == "pattern") {
    TVLM_RETURN_IF_ERROR(AddPattern(value, *grammar));
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: the key schema, choices or pattern wanted, \"%s\" found",
                 key.c_str());
  }
  TVLM_RETURN_IF_ERROR(grammar->Finish());
  return std::shared_ptr<const Grammar>(std::move(grammar));
}

}  // namespace tinyvlm
