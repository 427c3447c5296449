// What JavaScript sees of the conversion of checkpoints (convert/conversion.h): a module of its
// own, loaded only where a checkpoint is the source of a model. JavaScript reads and writes the
// heap itself: a read's bytes go to the address that the task names, those of a write lie there.
#include <emscripten/bind.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/json_writer.h"
#include "convert/conversion.h"

namespace {

using tinyvlm::Conversion;
using tinyvlm::ConversionTask;

// What every function returns: a plain object. Numbers are exact: they are below 2^53.
struct ConversionReply {
  int32_t code = 0;  // of cpp/base/status.h
  std::string message;
  double value = 0;  // the conversion's address, or a task's kind
  std::string text;  // JSON
  double address = 0;
};

Conversion* ConversionAt(uintptr_t address) { return reinterpret_cast<Conversion*>(address); }

ConversionReply Failed(const tinyvlm::Status& status) {
  ConversionReply reply;
  reply.code = static_cast<int32_t>(status.code());
  reply.message = status.message();
  return reply;
}

// Two lowercase digits a byte, and back.
std::string Hex(const uint8_t* bytes, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

int Digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// {"files": [{"name", "bytes"}], "requestBytes", "storedSha256" (64 digits a chunk),
// "storedHeaderBytes"}; the caller is our own JavaScript.
tinyvlm::Result<tinyvlm::ConversionInput> ParseInput(const std::string& text) {
  TVLM_ASSIGN_OR_RETURN(const tinyvlm::Json json, tinyvlm::ParseJson(text));
  tinyvlm::ConversionInput input;
  const auto number = [](const tinyvlm::Json& value) {
    return static_cast<uint64_t>(value.number().value_or(0));
  };
  for (const tinyvlm::Json& file : *json.Find("files")->array())
    input.files.push_back({*file.Find("name")->string(), number(*file.Find("bytes"))});
  input.request_bytes = number(*json.Find("requestBytes"));
  const std::string& digits = *json.Find("storedSha256")->string();
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    input.stored_hashes.push_back(
        static_cast<uint8_t>(Digit(digits[i]) << 4 | Digit(digits[i + 1])));
  }
  input.stored_header_bytes = number(*json.Find("storedHeaderBytes"));
  return input;
}

// `options`: convert/conversion_options.h; `input`: above.
ConversionReply Create(const std::string& options, const std::string& input) {
  auto parsed = tinyvlm::ParseConversionOptions(options.c_str());
  if (!parsed.ok()) return Failed(parsed.status());
  auto files = ParseInput(input);
  if (!files.ok()) return Failed(files.status());
  auto conversion = Conversion::Create(std::move(*parsed), std::move(*files));
  if (!conversion.ok()) return Failed(conversion.status());
  ConversionReply reply;
  reply.value = static_cast<double>(reinterpret_cast<uintptr_t>(conversion->release()));
  return reply;
}

// `value`: 0 read, 1 write, 2 restart, 3 done; `text`: the task's fields; `address`: where bytes go
// or lie.
ConversionReply Next(uintptr_t address) {
  Conversion* const conversion = ConversionAt(address);
  const auto task = conversion->Next();
  if (!task.ok()) return Failed(task.status());
  ConversionReply reply;
  reply.value = static_cast<double>(task->kind);
  tinyvlm::JsonWriter json;
  json.Number("offset", static_cast<double>(task->offset))
      .Number("bytes", static_cast<double>(task->bytes));
  if (task->kind == ConversionTask::Kind::kRead) {
    json.String("file", std::string(task->file))
        .Number("runs", static_cast<double>(task->runs))
        .Number("stride", static_cast<double>(task->stride));
    reply.address = static_cast<double>(reinterpret_cast<uintptr_t>(task->destination));
  } else if (task->kind == ConversionTask::Kind::kWrite) {
    json.String("sha256", Hex(task->sha256.data(), task->sha256.size()))
        .Number("headerBytes", static_cast<double>(conversion->header_bytes()))
        .Number("dataBytes", static_cast<double>(conversion->data_bytes()));
    reply.address = static_cast<double>(reinterpret_cast<uintptr_t>(task->data));
  }
  reply.text = json.Finish();
  return reply;
}

ConversionReply Supply(uintptr_t address, double bytes) {
  return Failed(ConversionAt(address)->Supply(static_cast<uint64_t>(bytes)));
}

// `text`: the warnings, an array of sentences under "warnings".
ConversionReply Warnings(uintptr_t address) {
  ConversionReply reply;
  reply.text =
      tinyvlm::JsonWriter().Strings("warnings", ConversionAt(address)->warnings()).Finish();
  return reply;
}

void Free(uintptr_t address) { std::unique_ptr<Conversion>(ConversionAt(address)).reset(); }

}  // namespace

EMSCRIPTEN_BINDINGS(tiny_vlm_convert) {
  using emscripten::function;
  emscripten::value_object<ConversionReply>("ConversionReply")
      .field("code", &ConversionReply::code)
      .field("message", &ConversionReply::message)
      .field("value", &ConversionReply::value)
      .field("text", &ConversionReply::text)
      .field("address", &ConversionReply::address);
  function("conversionCreate", &Create);
  function("conversionNext", &Next);
  function("conversionSupply", &Supply);
  function("conversionWarnings", &Warnings);
  function("conversionFree", &Free);
}
