// Options and requests as the C interface takes them. The first byte tells which.
#include <string>

#include "api/request.h"
#include "convert/conversion_options.h"
#include "fuzz/fuzz.h"
#include "text/utf8.h"

using namespace tinyvlm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  if (size == 0) return 0;
  // Texts of C end with a zero byte, wherever one is.
  const std::string text(TextOf({data + 1, size - 1}));
  Status status;
  switch (data[0] % 4) {
    case 0: {
      const auto options = ParseModelOptions(text.c_str());
      status = options.status();
      if (options.ok())
        MustHold(options->threads >= 1 && options->threads <= 64, "1 to 64 threads");
      break;
    }
    case 1: {
      const auto options = ParseSessionOptions(text.c_str(), 4096);
      status = options.status();
      if (options.ok()) MustHold(options->context >= 1, "a context has tokens");
      break;
    }
    case 2: {
      const auto options = ParseRequest(text.c_str());
      status = options.status();
      if (options.ok()) {
        MustHold(options->max_tokens >= 1, "an answer has tokens");
        for (const Message& message : options->messages)
          MustHold(IsValidUtf8(message.text), "a message is UTF-8");
      }
      break;
    }
    default:
      status = ParseConversionOptions(text.c_str()).status();
  }
  MustBeTold(status);
  MustHold(status.ok() || status.code() == ErrorCode::kInvalidArgument,
           "a wrong request is an invalid argument");
  MustHold(IsValidUtf8(status.message()), "an error is UTF-8");
  return 0;
}
