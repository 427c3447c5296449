// A checkpoint as a list of files: its tokenizer alone, and the whole of it converted to the end.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "convert/checkpoint_config.h"
#include "convert/checkpoint_tokenizer.h"
#include "convert/conversion.h"
#include "formats/gguf.h"
#include "fuzz/dice.h"
#include "fuzz/file_list.h"
#include "fuzz/fuzz.h"
#include "text/utf8.h"

using namespace tinyvlm;

namespace {

using Files = std::map<std::string, std::string>;

// Both errors and numbers are of the checkpoint.
void ReadParts(const Files& files) {
  const CheckpointSource source("checkpoint", files);
  const auto config = ReadCheckpointConfig(source);
  MustBeTold(config.status());
  MustHold(IsValidUtf8(config.status().message()), "an error is UTF-8");
  for (const uint32_t vocabulary : {10u, 100'000u}) {
    const auto tokenizer = ReadCheckpointTokenizer(source, vocabulary, std::nullopt);
    MustBeTold(tokenizer.status());
    MustHold(IsValidUtf8(tokenizer.status().message()), "an error is UTF-8");
    if (tokenizer.ok())
      MustHold(tokenizer->tokens.size() <= vocabulary, "ids lie below the vocabulary");
  }
}

// Plays the part of whoever holds the files and stores the result.
void ConvertAll(const Files& files, const ConversionOptions& options) {
  ConversionInput input;
  for (const auto& [name, content] : files) input.files.push_back({name, content.size()});
  auto created = Conversion::Create(options, input);
  MustBeTold(created.status());
  if (!created.ok()) return;
  Conversion& conversion = **created;
  std::vector<uint8_t> result;
  for (;;) {
    const Result<ConversionTask> task = conversion.Next();
    MustBeTold(task.status());
    if (!task.ok()) return;
    switch (task->kind) {
      case ConversionTask::Kind::kRead: {
        const std::string& content = files.at(std::string(task->file));
        for (size_t run = 0; run < task->runs; ++run) {
          const uint64_t begin = task->offset + run * task->stride;
          MustHold(begin <= content.size() && task->bytes <= content.size() - begin,
                   "what is asked for is in the file");
          std::memcpy(task->destination + run * task->bytes, content.data() + begin, task->bytes);
        }
        MustBeTold(conversion.Supply(uint64_t{task->bytes} * task->runs));
        break;
      }
      case ConversionTask::Kind::kWrite:
        if (result.size() < task->offset + task->bytes)
          result.resize(static_cast<size_t>(task->offset) + task->bytes);
        std::memcpy(result.data() + task->offset, task->data, task->bytes);
        break;
      case ConversionTask::Kind::kRestart:
        result.clear();
        break;
      case ConversionTask::Kind::kDone: {
        const Result<GgufParse> parse = ParseGgufHeader(result);
        MustHold(parse.ok() && parse->file.has_value(), "what was converted can be read");
        const size_t header = static_cast<size_t>(parse->file->data_offset);
        MustHold(VerifyHeaderHash(*parse->file, std::span(result).first(header)).ok() &&
                     CheckFileBytes(*parse->file, result.size()).ok(),
                 "what was converted is whole");
        return;
      }
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  Files files = ReadFileList(TextOf({data, size}));
  if (files.size() > 12) return 0;
  ReadParts(files);
  ConversionOptions options;
  options.type = size % 2 == 0 ? DType::kQ8_0 : DType::kQ4_0;
  options.packing = size % 3 == 0 ? Packing::kPanel16 : Packing::kNone;
  options.tokenizer = size % 5 != 0;
  ConvertAll(files, options);
  return 0;
}

// Changes one file, and the safetensors header's length with its text.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Dice dice(seed);
  Files files = ReadFileList(TextOf({data, size}));
  if (files.empty() || dice.OneIn(16)) return LLVMFuzzerMutate(data, size, max_size);
  auto at = files.begin();
  std::advance(at, static_cast<ptrdiff_t>(dice.Roll(files.size())));
  const size_t room = std::min<size_t>(max_size - size, 64);
  if (dice.OneIn(12)) {
    files.erase(at);
  } else if (at->first.ends_with(".safetensors") && at->second.size() > 8) {
    uint64_t length = 0;
    std::memcpy(&length, at->second.data(), sizeof(length));
    length = std::min<uint64_t>(length, at->second.size() - 8);
    std::string header = at->second.substr(8, static_cast<size_t>(length));
    const std::string rest = at->second.substr(8 + static_cast<size_t>(length));
    dice.Mutate(&header, room);
    length = header.size();
    at->second.assign(reinterpret_cast<const char*>(&length), sizeof(length));
    at->second += header + rest;
  } else {
    dice.Mutate(&at->second, room);
  }
  const std::string list = WriteFileList(files);
  if (list.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(list.begin(), list.end(), data);
  return list.size();
}
