// In place of sentencepiece's filesystem.cc and of its command-line flags: Tiny-VLM hands models
// over as bytes (cpp/text/sentencepiece_tokenizer.cc) and sets no flags.
#include "src/filesystem.h"
#include "third_party/absl/flags/flag.h"

namespace sentencepiece::filesystem {
namespace {

util::Status NoFiles() { return {util::StatusCode::kUnimplemented, "built without files"}; }

class NoReadableFile : public ReadableFile {
 public:
  util::Status status() const override { return NoFiles(); }
  bool ReadLine(std::string*) override { return false; }
  bool ReadAll(std::string*) override { return false; }
};

class NoWritableFile : public WritableFile {
 public:
  util::Status status() const override { return NoFiles(); }
  bool Write(absl::string_view) override { return false; }
  bool WriteLine(absl::string_view) override { return false; }
};

}  // namespace

std::unique_ptr<ReadableFile> NewReadableFile(absl::string_view, bool) {
  return std::make_unique<NoReadableFile>();
}

std::unique_ptr<WritableFile> NewWritableFile(absl::string_view, bool) {
  return std::make_unique<NoWritableFile>();
}

}  // namespace sentencepiece::filesystem

void absl::CleanupFlags() {}
