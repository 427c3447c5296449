#include "constrain/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "constrain/json_text.h"
#include "constrain/pattern.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

// Bounds of the work on one schema.
constexpr size_t kMaxRules = 8192;
constexpr size_t kMaxAlternatives = 4096;  // of all rules together, each part of an anyOf one
constexpr size_t kMaxExpanded = size_t{1} << 14;  // schemas and values read, each as often as it is
constexpr size_t kMaxNames = 1024;                // of one object
constexpr size_t kMaxChoices = 64;                // of anyOf and oneOf that hold together
constexpr size_t kMaxNested = 64;  // schemas within each other, by $ref, too; wasm stacks are small

// ---- values -----------------------------------------------------------------------

// Kinds of values as bits. A number is of the first kind where it is whole.
enum Kind : unsigned {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAnyKind = 127,
};

unsigned KindOf(const Json& value) {
  if (value.is_null()) return kNull;
  if (value.boolean()) return kBoolean;
  if (value.string() != nullptr) return kString;
  if (value.array() != nullptr) return kArray;
  if (value.object() != nullptr) return kObject;
  return std::floor(*value.number()) == *value.number() ? kInteger : kFraction;
}

std::string ToJson(const Json& value, bool sort_keys) {
  std::string text;
  AppendJson(value, sort_keys, &text);
  return text;
}

// ---- what a schema says -----------------------------------------------------------

struct ObjectPart {
  const Json::Object* properties = nullptr;
  const Json* additional = nullptr;
};

struct ArrayPart {
  const Json::Array* prefix = nullptr;
  const Json* items = nullptr;
};

// A value of enum or const.
struct Value {
  std::string text;  // with sorted keys: equal values have equal texts
  const Json* json;
  friend bool operator<(const Value& a, const Value& b) { return a.text < b.text; }
};
using Values = std::vector<Value>;  // sorted, each once

// Alternatives of an anyOf or oneOf, of which one is still to be chosen.
struct Choice {
  const Json::Array* alternatives;
  std::vector<const Json*> active;
};

// What one schema, or several that hold together, say of a value.
struct Shape {
  bool never = false;
  unsigned kinds = kAnyKind;
  std::shared_ptr<const Values> values;  // of enum and const; null: any
  std::optional<NumberBound> min, max;
  size_t min_length = 0, max_length = SIZE_MAX;
  std::vector<std::shared_ptr<const CharAutomaton>> patterns;
  size_t min_items = 0, max_items = SIZE_MAX;
  std::vector<ArrayPart> arrays;
  std::vector<std::string> required;
  std::vector<ObjectPart> objects;
  std::vector<Choice> choices;
  std::vector<const Json*> seen;    // schemas that are part of it
  std::vector<const Json*> active;  // of these, those that are being read
};

// Schemas that hold together.
using Schemas = std::vector<const Json*>;

// Formats as patterns of the whole text.
constexpr std::string_view kTimePattern =
    "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?([Zz]|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
constexpr std::string_view kDatePattern =
    "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"
    "02-(0[1-9]|1\\d|2[0-8]))|"
    "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";

std::optional<std::string> FormatPattern(std::string_view name) {
  if (name == "date") return std::string(kDatePattern);
  if (name == "time") return std::string(kTimePattern);
  if (name == "date-time") return std::string(kDatePattern) + "[Tt]" + std::string(kTimePattern);
  if (name == "uuid") return "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
  if (name == "email") {
    return "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
           "[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
           "(\\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?)+";
  }
  return std::nullopt;
}

// Keywords that say nothing about what is valid.
bool IsAnnotation(std::string_view keyword) {
  constexpr std::array<std::string_view, 14> kAnnotations{
      "$schema",     "$comment", "$defs",           "definitions",     "title",
      "description", "default",  "examples",        "deprecated",      "readOnly",
      "writeOnly",   "$anchor",  "contentEncoding", "contentMediaType"};
  return std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end();
}

// ---- the compiler -----------------------------------------------------------------

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, Grammar& grammar)
      : root_(root), grammar_(grammar), text_(grammar) {
    places_[&root_] = {nullptr, "#"};
  }

  Status Compile() {
    RuleFor({&root_});
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (pending_.size() > kMaxRules) return TooLarge();
      TVLM_RETURN_IF_ERROR(grammar_.CheckLimits());
      const auto [schemas, rule] = pending_[i];
      Shape shape;
      for (const Json* const schema : schemas) TVLM_RETURN_IF_ERROR(Read(*schema, &shape));
      TVLM_RETURN_IF_ERROR(AddChoices(std::move(shape), grammar_.start(rule), grammar_.end(rule)));
    }
    return Status();
  }

 private:
  // ---- errors -----------------------------------------------------------------

  static Status TooLarge() {
    return Error(ErrorCode::kInvalidArgument,
                 "responseFormat: a schema with at most %zu subschemas, %zu alternatives, %zu "
                 "values and %zu levels, no more than %zu choices at a time and less to compare "
                 "wanted, more found",
                 kMaxRules, kMaxAlternatives, kMaxExpanded, kMaxNested, kMaxChoices);
  }

  Status Wrong(const Json& schema, std::string_view keyword, const char* wanted,
               const char* found) const {
    return Error(ErrorCode::kInvalidArgument, "responseFormat: %s/%s: %s wanted, %s found",
                 PlaceOf(schema).c_str(), std::string(keyword).c_str(), wanted, found);
  }

  Status Unsupported(const Json& schema, std::string_view keyword, const char* why) const {
    return Error(
        ErrorCode::kInvalidArgument, "responseFormat: %s/%s: the keyword %s is not supported%s",
        PlaceOf(schema).c_str(), std::string(keyword).c_str(), Quoted(keyword).c_str(), why);
  }

  // ---- reading ----------------------------------------------------------------

  // Remembers where a schema stands in the document.
  void Place(const Json& schema, const Json& parent, std::string_view step) {
    std::string escaped;
    for (const char c : step) {
      if (c == '~' || c == '/') {
        escaped += c == '~' ? "~0" : "~1";
      } else {
        escaped += c;
      }
    }
    places_.try_emplace(&schema, StandsAt{&parent, std::move(escaped)});
  }

  // As a JSON pointer.
  std::string PlaceOf(const Json& schema) const {
    const StandsAt& place = places_.at(&schema);
    return place.parent == nullptr ? place.step : PlaceOf(*place.parent) + "/" + place.step;
  }

  // Adds what a schema says to a shape.
  Status Read(const Json& schema, Shape* shape) {
    if (++expanded_ > kMaxExpanded || nested_ == kMaxNested) return TooLarge();
    ++nested_;
    Status status = ReadNested(schema, shape);
    --nested_;
    return status;
  }

  Status ReadNested(const Json& schema, Shape* shape) {
    const auto has = [&](const std::vector<const Json*>& schemas) {
      return std::find(schemas.begin(), schemas.end(), &schema) != schemas.end();
    };
    if (has(shape->active)) {
      return Error(ErrorCode::kInvalidArgument,
                   "responseFormat: %s: a schema that says something before it refers to itself "
                   "wanted, a circle found",
                   PlaceOf(schema).c_str());
    }
    if (has(shape->seen)) return Status();  // what holds twice holds once
    shape->seen.push_back(&schema);
    if (const std::optional<bool> all = schema.boolean(); all.has_value()) {
      shape->never = shape->never || !*all;
      return Status();
    }
    if (schema.object() == nullptr) {
      return Error(ErrorCode::kInvalidArgument, "responseFormat: %s: a schema wanted, %s found",
                   PlaceOf(schema).c_str(), schema.KindName());
    }
    shape->active.push_back(&schema);
    ObjectPart object;
    ArrayPart array;
    for (const auto& [keyword, value] : *schema.object()) {
      if (&value != schema.Find(keyword))
        return Wrong(schema, keyword, "each keyword once", "it twice");
      if (IsAnnotation(keyword)) continue;
      TVLM_RETURN_IF_ERROR(ReadKeyword(schema, keyword, value, shape, &object, &array));
    }
    if (object.properties != nullptr || object.additional != nullptr)
      shape->objects.push_back(object);
    if (array.prefix != nullptr || array.items != nullptr) shape->arrays.push_back(array);
    shape->active.pop_back();
    return Status();
  }

  Status ReadKeyword(const Json& schema, const std::string& keyword, const Json& value,
                     Shape* shape, ObjectPart* object, ArrayPart* array) {
    const std::string_view key = keyword;
    const auto list_of_schemas = [&]() -> Status {
      if (value.array() == nullptr || value.array()->empty())
        return Wrong(schema, key, "a list of at least one schema", value.KindName());
      Place(value, schema, key);
      for (size_t i = 0; i < value.array()->size(); ++i)
        Place((*value.array())[i], value, std::to_string(i));
      return Status();
    };
    if (key == "type") return ReadType(schema, value, shape);
    if (key == "enum") {
      if (value.array() == nullptr || value.array()->empty())
        return Wrong(schema, key, "a list of at least one value", value.KindName());
      expanded_ += value.array()->size();
      if (expanded_ > kMaxExpanded) return TooLarge();
      Values values;
      for (const Json& item : *value.array()) values.push_back({ToJson(item, true), &item});
      Restrict(std::move(values), shape);
      return Status();
    }
    if (key == "const") {
      Restrict({{ToJson(value, true), &value}}, shape);
      return Status();
    }
    if (key == "minimum" || key == "exclusiveMinimum" || key == "maximum" ||
        key == "exclusiveMaximum") {
      if (!value.number()) return Wrong(schema, key, "a number", value.KindName());
      const NumberBound bound{*value.number(), key[0] == 'e'};
      const bool low = key == "minimum" || key == "exclusiveMinimum";
      std::optional<NumberBound>& now = low ? shape->min : shape->max;
      const bool tighter = !now || (low ? bound.value > now->value : bound.value < now->value) ||
                           (bound.value == now->value && bound.open);
      if (tighter) now = bound;
      return Status();
    }
    if (key == "minLength") return ReadCount(schema, key, value, true, &shape->min_length);
    if (key == "maxLength") return ReadCount(schema, key, value, false, &shape->max_length);
    if (key == "minItems") return ReadCount(schema, key, value, true, &shape->min_items);
    if (key == "maxItems") return ReadCount(schema, key, value, false, &shape->max_items);
    if (key == "pattern" || key == "format") {
      if (value.string() == nullptr) return Wrong(schema, key, "a text", value.KindName());
      std::string pattern = *value.string();
      if (key == "format") {
        std::optional<std::string> known = FormatPattern(pattern);
        if (!known) {
          return Unsupported(schema, key, " but for date, time, date-time, uuid and email");
        }
        pattern = std::move(*known);
      }
      Result<CharAutomaton> automaton = ParsePattern(
          pattern, key == "format" ? PatternMatch::kWhole : PatternMatch::kAnywhere, &work_);
      if (!automaton.ok()) {
        return Status(automaton.status().code(),
                      automaton.status().message() + " (at " + PlaceOf(schema) + "/pattern)");
      }
      shape->patterns.push_back(
          std::make_shared<const CharAutomaton>(std::move(automaton).value()));
      return Status();
    }
    if (key == "properties") {
      if (value.object() == nullptr || value.object()->size() > kMaxNames)
        return Wrong(schema, key, "an object of at most 1024 names",
                     value.object() ? "more" : value.KindName());
      Place(value, schema, key);
      for (const auto& [name, property] : *value.object()) {
        if (&property != value.Find(name))
          return Wrong(schema, key, "each name once", Quoted(name).c_str());
        Place(property, value, name);
      }
      object->properties = value.object();
      return Status();
    }
    if (key == "additionalProperties" || key == "items") {
      Place(value, schema, key);
      (key == "items" ? array->items : object->additional) = &value;
      return Status();
    }
    if (key == "prefixItems") {
      array->prefix = value.array();
      return list_of_schemas();
    }
    if (key == "required") {
      if (value.array() == nullptr) return Wrong(schema, key, "a list of names", value.KindName());
      for (const Json& name : *value.array()) {
        if (name.string() == nullptr) return Wrong(schema, key, "a name", name.KindName());
        std::vector<std::string>& names = shape->required;
        if (std::find(names.begin(), names.end(), *name.string()) != names.end()) continue;
        if (names.size() == kMaxNames) return Wrong(schema, key, "at most 1024 names", "more");
        names.push_back(*name.string());
      }
      return Status();
    }
    if (key == "allOf") {
      TVLM_RETURN_IF_ERROR(list_of_schemas());
      for (const Json& part : *value.array()) TVLM_RETURN_IF_ERROR(Read(part, shape));
      return Status();
    }
    if (key == "anyOf" || key == "oneOf") {
      TVLM_RETURN_IF_ERROR(list_of_schemas());
      if (key == "oneOf") TVLM_RETURN_IF_ERROR(CheckDisjoint(schema, *value.array()));
      if (shape->choices.size() == kMaxChoices) return TooLarge();
      shape->choices.push_back({value.array(), shape->active});
      return Status();
    }
    if (key == "$ref") {
      TVLM_ASSIGN_OR_RETURN(const Json* const target, Resolve(schema, value));
      return Read(*target, shape);
    }
    if (key == "$id" && &schema == &root_) return Status();
    if (key == "uniqueItems" && value.boolean() == false) return Status();
    return Unsupported(schema, key, "");
  }

  Status ReadType(const Json& schema, const Json& value, Shape* shape) {
    unsigned kinds = 0;
    const auto add = [&](const Json& name) {
      constexpr std::array<std::pair<std::string_view, unsigned>, 7> kNames{{
          {"null", kNull},
          {"boolean", kBoolean},
          {"integer", kInteger},
          {"number", kInteger | kFraction},
          {"string", kString},
          {"array", kArray},
          {"object", kObject},
      }};
      for (const auto& [known, kind] : kNames) {
        if (name.string() != nullptr && *name.string() == known) {
          kinds |= kind;
          return true;
        }
      }
      return false;
    };
    const Json::Array* const list = value.array();
    const bool known = list == nullptr
                           ? add(value)
                           : !list->empty() && std::all_of(list->begin(), list->end(), add);
    if (!known) {
      return Wrong(schema, "type",
                   "null, boolean, integer, number, string, array or object, or a list of them",
                   value.string() == nullptr ? value.KindName() : Quoted(*value.string()).c_str());
    }
    shape->kinds &= kinds;
    return Status();
  }

  Status ReadCount(const Json& schema, std::string_view key, const Json& value, bool least,
                   size_t* count) const {
    // 2.0 is a count, too.
    const std::optional<double> number = value.number();
    if (!number || *number < 0 || std::floor(*number) != *number)
      return Wrong(schema, key, "a whole number, 0 or more", value.KindName());
    // More than any grammar holds is one number: too large, or no limit.
    constexpr double kLarge = 1e9;
    const size_t wanted =
        *number >= kLarge ? (least ? size_t{1000000000} : SIZE_MAX) : static_cast<size_t>(*number);
    *count = least ? std::max(*count, wanted) : std::min(*count, wanted);
    return Status();
  }

  static void Restrict(Values values, Shape* shape) {
    std::sort(values.begin(), values.end());
    const auto same = [](const Value& a, const Value& b) { return a.text == b.text; };
    values.erase(std::unique(values.begin(), values.end(), same), values.end());
    if (shape->values != nullptr) {
      Values both;
      std::set_intersection(values.begin(), values.end(), shape->values->begin(),
                            shape->values->end(), std::back_inserter(both));
      values = std::move(both);
    }
    shape->values = std::make_shared<const Values>(std::move(values));
  }

  // The schema that a $ref names: "#" or "#/" and a JSON pointer.
  Result<const Json*> Resolve(const Json& schema, const Json& value) {
    if (value.string() == nullptr) return Wrong(schema, "$ref", "a text", value.KindName());
    const std::string& reference = *value.string();
    if (reference != "#" && !reference.starts_with("#/")) {
      return Wrong(schema, "$ref", "# or #/ and a JSON pointer within the schema",
                   Quoted(reference).c_str());
    }
    std::string pointer;  // without percent-encoding
    for (size_t i = 1; i < reference.size(); ++i) {
      const auto digit = [&](size_t at) {
        const char c = at < reference.size() ? reference[at] : ' ';
        const char lower = static_cast<char>(c | 0x20);
        if (c >= '0' && c <= '9') return c - '0';
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
      };
      if (reference[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
        pointer += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
        i += 2;
      } else {
        pointer += reference[i];
      }
    }
    const Json* target = &root_;
    for (size_t at = 0; at < pointer.size();) {
      const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
      std::string step;
      for (size_t i = at + 1; i < end; ++i) {
        const bool escape = pointer[i] == '~' && i + 1 < end;
        step += !escape ? pointer[i] : pointer[++i] == '0' ? '~' : '/';
      }
      if (target->object() != nullptr && !work_.Spend(target->object()->size())) return TooLarge();
      const Json* next = target->Find(step);
      if (const Json::Array* const list = target->array(); list != nullptr) {
        const bool number = !step.empty() && step.size() < 10 &&
                            step.find_first_not_of("0123456789") == std::string::npos;
        const size_t index = number ? std::strtoul(step.c_str(), nullptr, 10) : list->size();
        next = index < list->size() ? &(*list)[index] : nullptr;
      }
      if (next == nullptr)
        return Wrong(schema, "$ref", "a pointer to a schema that is there",
                     Quoted(reference).c_str());
      target = next;
      at = end;
    }
    places_.try_emplace(target,
                        StandsAt{nullptr, Quoted(reference, 200).substr(1, reference.size())});
    return target;
  }

  // ---- oneOf ------------------------------------------------------------------

  // Whether it is certain that no text of one alternative validates against another.
  Status CheckDisjoint(const Json& schema, const Json::Array& alternatives) {
    std::vector<Shape> shapes(alternatives.size());
    for (size_t i = 0; i < alternatives.size(); ++i) {
      TVLM_RETURN_IF_ERROR(Read(alternatives[i], &shapes[i]));
      for (size_t j = 0; j < i; ++j) {
        if (++expanded_ > kMaxExpanded) return TooLarge();
        TVLM_ASSIGN_OR_RETURN(const bool disjoint, Disjoint(shapes[j], shapes[i], 0));
        if (disjoint) continue;
        return Unsupported(
            schema, "oneOf",
            Format(" where alternatives may overlap, as %zu and %zu do; give each a "
                   "type, a required property or a constant of its own, or use anyOf",
                   j, i)
                .c_str());
      }
    }
    return Status();
  }

  Result<bool> Disjoint(const Shape& a, const Shape& b, size_t depth) {
    constexpr size_t kMaxDepth = 4;
    if (a.never || b.never) return true;
    if (a.values && b.values) {
      expanded_ += (a.values->size() + b.values->size()) / 64;
      Values both;
      std::set_intersection(a.values->begin(), a.values->end(), b.values->begin(), b.values->end(),
                            std::back_inserter(both));
      return both.empty();
    }
    const unsigned common = Kinds(a) & Kinds(b);
    if (common == 0) return true;
    if (common != kObject || depth == kMaxDepth) return false;
    if (!work_.Spend(a.required.size() * b.required.size())) return TooLarge();
    if (Lacks(a, b) && Lacks(b, a)) return true;
    for (const std::string& name : a.required) {
      if (std::find(b.required.begin(), b.required.end(), name) == b.required.end()) continue;
      Shape of_a, of_b;
      for (const Json* const schema : PropertySchemas(a, name))
        TVLM_RETURN_IF_ERROR(Read(*schema, &of_a));
      for (const Json* const schema : PropertySchemas(b, name))
        TVLM_RETURN_IF_ERROR(Read(*schema, &of_b));
      TVLM_ASSIGN_OR_RETURN(const bool disjoint, Disjoint(of_a, of_b, depth + 1));
      if (disjoint) return true;
    }
    return false;
  }

  // The kinds of values that a shape may have.
  static unsigned Kinds(const Shape& shape) {
    if (!shape.values) return shape.kinds;
    unsigned kinds = 0;
    for (const Value& value : *shape.values) kinds |= KindOf(*value.json);
    return kinds & shape.kinds;
  }

  // Whether objects of shape a never have a property that shape b requires.
  static bool Lacks(const Shape& a, const Shape& b) {
    if (!a.choices.empty() || !IsClosed(a) || a.values) return false;
    return std::any_of(b.required.begin(), b.required.end(), [&](const std::string& name) {
      return std::find(a.required.begin(), a.required.end(), name) == a.required.end() &&
             std::none_of(a.objects.begin(), a.objects.end(), [&](const ObjectPart& part) {
               return FindProperty(part, name) != nullptr;
             });
    });
  }

  // ---- objects ----------------------------------------------------------------

  static const Json* FindProperty(const ObjectPart& part, const std::string& name) {
    if (part.properties == nullptr) return nullptr;
    const auto found =
        std::find_if(part.properties->begin(), part.properties->end(),
                     [&](const Json::Member& member) { return member.first == name; });
    return found == part.properties->end() ? nullptr : &found->second;
  }

  // Whether objects have none but the properties that are named. An answer whose schema lists
  // properties has no others, unless the schema says what they are.
  static bool IsClosed(const Shape& shape) {
    const auto says_more = [](const ObjectPart& part) { return part.additional != nullptr; };
    const auto forbids = [](const ObjectPart& part) {
      return part.additional != nullptr && part.additional->boolean() == false;
    };
    if (std::any_of(shape.objects.begin(), shape.objects.end(), forbids)) return true;
    return !shape.objects.empty() &&
           std::none_of(shape.objects.begin(), shape.objects.end(), says_more);
  }

  // All that holds for a property.
  static Schemas PropertySchemas(const Shape& shape, const std::string& name) {
    Schemas schemas;
    for (const ObjectPart& part : shape.objects) {
      const Json* const named = FindProperty(part, name);
      const Json* const schema = named != nullptr ? named : part.additional;
      if (schema != nullptr) schemas.push_back(schema);
    }
    return schemas;
  }

  Status AddObject(const Shape& shape, Grammar::State from, Grammar::State to) {
    std::vector<std::string> names;
    std::map<std::string_view, bool> known;
    for (const ObjectPart& part : shape.objects) {
      if (part.properties == nullptr) continue;
      for (const Json::Member& property : *part.properties) {
        if (known.try_emplace(property.first, true).second) names.push_back(property.first);
      }
    }
    std::map<std::string_view, bool> required;
    for (const std::string& name : shape.required) {
      required[name] = true;
      if (known.try_emplace(name, true).second) names.push_back(name);
    }
    // At each property: nothing was written yet, or something was and a comma must precede it.
    Grammar::State first = grammar_.AddState(), next = grammar_.AddState();
    grammar_.AddBytes(from, '{', '{', first);
    for (const std::string& name : names) {
      TVLM_RETURN_IF_ERROR(grammar_.CheckLimits());
      const Grammar::State key = grammar_.AddState(), value = grammar_.AddState(),
                           first_after = grammar_.AddState(), next_after = grammar_.AddState();
      grammar_.AddEmpty(first, key);
      grammar_.AddBytes(next, ',', ',', key);
      std::string text;
      AppendJsonString(name, &text);
      grammar_.AddLiteral(key, text + ":", value);
      grammar_.AddCall(value, RuleFor(PropertySchemas(shape, name)), next_after);
      if (required.find(name) == required.end()) {
        grammar_.AddEmpty(first, first_after);
        grammar_.AddEmpty(next, next_after);
      }
      first = first_after;
      next = next_after;
    }
    if (!IsClosed(shape)) {
      const Grammar::State key = grammar_.AddState(), colon = grammar_.AddState(),
                           value = grammar_.AddState();
      grammar_.AddEmpty(first, key);
      grammar_.AddBytes(next, ',', ',', key);
      if (names.empty()) {
        text_.AddAnyString(key, colon);
      } else {
        text_.AddOtherString(names, key, colon);
      }
      grammar_.AddBytes(colon, ':', ':', value);
      Schemas schemas;
      for (const ObjectPart& part : shape.objects) {
        if (part.additional != nullptr) schemas.push_back(part.additional);
      }
      grammar_.AddCall(value, RuleFor(std::move(schemas)), next);
    }
    grammar_.AddBytes(first, '}', '}', to);
    grammar_.AddBytes(next, '}', '}', to);
    return Status();
  }

  // ---- arrays -----------------------------------------------------------------

  Status AddArray(const Shape& shape, Grammar::State from, Grammar::State to) {
    // How many items have schemas of their own; behind these all are alike.
    size_t prefix = 0;
    bool says_more = false;
    for (const ArrayPart& part : shape.arrays) {
      if (part.prefix != nullptr) prefix = std::max(prefix, part.prefix->size());
      says_more = says_more || part.items != nullptr;
    }
    size_t max = shape.max_items;
    if (prefix > 0 && !says_more) max = std::min(max, std::max(prefix, shape.min_items));
    const auto schemas = [&](size_t index) {
      Schemas all;
      for (const ArrayPart& part : shape.arrays) {
        if (part.prefix != nullptr && index < part.prefix->size()) {
          all.push_back(&(*part.prefix)[index]);
        } else if (part.items != nullptr) {
          all.push_back(part.items);
        }
      }
      return all;
    };
    Grammar::State state = grammar_.AddState();
    grammar_.AddBytes(from, '[', '[', state);
    for (size_t count = 0; !grammar_.full(); ++count) {
      if (count >= shape.min_items) grammar_.AddBytes(state, ']', ']', to);
      if (count == max) return Status();
      Grammar::State item = state;
      if (count > 0) {
        item = grammar_.AddState();
        grammar_.AddBytes(state, ',', ',', item);
      }
      const Grammar::Rule rule = RuleFor(schemas(count));
      if (count > 0 && count >= prefix && count >= shape.min_items && max == SIZE_MAX) {
        grammar_.AddCall(item, rule, state);
        return Status();
      }
      state = grammar_.AddState();
      grammar_.AddCall(item, rule, state);
    }
    return grammar_.CheckLimits();
  }

  // ---- everything -------------------------------------------------------------

  // The rule for values against which all of `schemas` validate.
  Grammar::Rule RuleFor(Schemas schemas) {
    if (schemas.empty()) schemas.push_back(&true_);
    const auto [found, added] = rules_.try_emplace(schemas, 0);
    if (added) {
      found->second = grammar_.AddRule();
      pending_.emplace_back(std::move(schemas), found->second);
    }
    return found->second;
  }

  // The texts of a shape, one choice after the other being made.
  Status AddChoices(Shape shape, Grammar::State from, Grammar::State to) {
    if (shape.never) return Status();
    if (shape.choices.empty()) return AddShape(shape, from, to);
    if (choosing_ == kMaxChoices) return TooLarge();
    ++choosing_;
    Status status = Choose(std::move(shape), from, to);
    --choosing_;
    return status;
  }

  Status Choose(Shape shape, Grammar::State from, Grammar::State to) {
    const Choice choice = std::move(shape.choices.back());
    shape.choices.pop_back();
    for (const Json& alternative : *choice.alternatives) {
      if (++alternatives_ > kMaxAlternatives) return TooLarge();
      TVLM_RETURN_IF_ERROR(grammar_.CheckLimits());
      Shape with = shape;
      with.active = choice.active;
      TVLM_RETURN_IF_ERROR(Read(alternative, &with));
      with.active.clear();
      TVLM_RETURN_IF_ERROR(AddChoices(std::move(with), from, to));
    }
    return Status();
  }

  Status AddShape(const Shape& shape, Grammar::State from, Grammar::State to) {
    if (shape.values) {
      for (const Value& value : *shape.values) {
        TVLM_ASSIGN_OR_RETURN(const bool fits, Fits(*value.json, shape));
        if (fits) grammar_.AddLiteral(from, ToJson(*value.json, false), to);
      }
      return Status();
    }
    if ((shape.kinds & kNull) != 0) grammar_.AddLiteral(from, "null", to);
    if ((shape.kinds & kBoolean) != 0) {
      grammar_.AddLiteral(from, "false", to);
      grammar_.AddLiteral(from, "true", to);
    }
    if ((shape.kinds & (kInteger | kFraction)) != 0)
      TVLM_RETURN_IF_ERROR(
          text_.AddNumber((shape.kinds & kFraction) == 0, shape.min, shape.max, from, to));
    if ((shape.kinds & kString) != 0) TVLM_RETURN_IF_ERROR(AddString(shape, from, to));
    if ((shape.kinds & kArray) != 0) TVLM_RETURN_IF_ERROR(AddArray(shape, from, to));
    if ((shape.kinds & kObject) != 0) TVLM_RETURN_IF_ERROR(AddObject(shape, from, to));
    return Status();
  }

  Status AddString(const Shape& shape, Grammar::State from, Grammar::State to) {
    const bool any_length = shape.min_length == 0 && shape.max_length == SIZE_MAX;
    if (shape.patterns.empty()) {
      if (any_length) {
        text_.AddAnyString(from, to);
      } else if (shape.min_length <= shape.max_length) {
        text_.AddStringOfLength(shape.min_length, shape.max_length, from, to);
      }
      return Status();
    }
    CharAutomaton content = *shape.patterns[0];
    for (size_t i = 1; i < shape.patterns.size(); ++i) {
      TVLM_ASSIGN_OR_RETURN(content, Intersect(content, *shape.patterns[i], &work_));
    }
    if (!any_length) {
      if (shape.min_length > shape.max_length) return Status();
      TVLM_ASSIGN_OR_RETURN(const CharAutomaton length,
                            CharCount(shape.min_length, shape.max_length));
      TVLM_ASSIGN_OR_RETURN(content, Intersect(content, length, &work_));
    }
    text_.AddString(content, from, to);
    return Status();
  }

  // Whether a value of enum or const is what the rest of the shape says.
  Result<bool> Fits(const Json& value, const Shape& shape) {
    const unsigned kind = KindOf(value);
    if ((shape.kinds & kind) == 0) return false;
    if ((kind & (kInteger | kFraction)) != 0) {
      const double number = *value.number();
      const auto& [min, max] = std::pair(shape.min, shape.max);
      return (!min || (min->open ? number > min->value : number >= min->value)) &&
             (!max || (max->open ? number < max->value : number <= max->value));
    }
    if (kind == kString) {
      // Following a state costs about as much as 4 units of work.
      for (const auto& pattern : shape.patterns) {
        if (!work_.Spend(4 * pattern->states.size() * value.string()->size())) return TooLarge();
      }
      size_t length = 0;
      for (const char c : *value.string()) length += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
      return length >= shape.min_length && length <= shape.max_length &&
             std::all_of(shape.patterns.begin(), shape.patterns.end(),
                         [&](const auto& pattern) { return Accepts(*pattern, *value.string()); });
    }
    const bool items = shape.min_items != 0 || shape.max_items != SIZE_MAX || !shape.arrays.empty();
    const bool members = !shape.required.empty() || !shape.objects.empty();
    if ((kind == kArray && items) || (kind == kObject && members)) {
      return Error(ErrorCode::kInvalidArgument,
                   "responseFormat: %s: enum or const with the value %s beside other keywords for "
                   "its items or properties is not supported",
                   PlaceOf(*shape.seen.front()).c_str(), Quoted(ToJson(value, false)).c_str());
    }
    return true;
  }

  const Json& root_;
  const Json true_{true};
  Grammar& grammar_;
  JsonText text_;
  // Where a schema stands: a step below another, or, where there is none, a whole JSON pointer.
  struct StandsAt {
    const Json* parent;
    std::string step;
  };
  std::map<const Json*, StandsAt> places_;
  std::map<Schemas, Grammar::Rule> rules_;
  std::vector<std::pair<Schemas, Grammar::Rule>> pending_;  // all rules, in order
  PatternWork work_;
  size_t expanded_ = 0;
  size_t nested_ = 0;    // calls of Read that are not done
  size_t choosing_ = 0;  // calls of AddChoices that are not done
  size_t alternatives_ = 0;
};

}  // namespace

Status AddJsonSchema(const Json& schema, Grammar& grammar) {
  return SchemaCompiler(schema, grammar).Compile();
}

}  // namespace tinyvlm
