#include "convert/convert.h"

#include <cinttypes>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "convert/conversion.h"
#include "convert/third_party_checkpoint.h"

namespace tinyvlm {

namespace {

// Disks do not mind short reads.
constexpr uint64_t kRequestBytes = uint64_t{1} << 20;

// The files of a folder as a conversion reads them.
class FolderReader {
 public:
  FolderReader(std::string folder, const std::vector<CheckpointFile>& files)
      : folder_(std::move(folder)) {
    for (const CheckpointFile& file : files) sizes_[file.name] = file.bytes;
  }

  // Does what a task of kind kRead says.
  Status Read(const ConversionTask& task) {
    const std::string name(task.file);
    auto file = open_.find(name);
    if (file == open_.end()) {
      TVLM_ASSIGN_OR_RETURN(RandomAccessFile opened, RandomAccessFile::Open(folder_ + "/" + name));
      if (opened.size() != sizes_[name]) {
        return Error(ErrorCode::kIo,
                     "%s changed while it was read: %" PRIu64 " bytes wanted, %" PRIu64 " found",
                     opened.path().c_str(), sizes_[name], opened.size());
      }
      file = open_.emplace(name, std::move(opened)).first;
    }
    for (size_t run = 0; run < task.runs; ++run) {
      TVLM_RETURN_IF_ERROR(file->second.ReadAt(task.offset + run * task.stride,
                                               task.destination + run * task.bytes, task.bytes));
    }
    return Status();
  }

 private:
  const std::string folder_;
  std::map<std::string, uint64_t> sizes_;
  std::map<std::string, RandomAccessFile> open_;
};

// Stores what a task of kind kWrite says. Zeros reserve the space of the header, which comes last:
// if writing is interrupted, the file does not look like a GGUF file.
Status Write(const ConversionTask& task, FileWriter* file) {
  if (task.offset < file->size()) return file->Overwrite(task.offset, task.data, task.bytes);
  const std::vector<uint8_t> place(static_cast<size_t>(task.offset - file->size()));
  TVLM_RETURN_IF_ERROR(file->Append(place.data(), place.size()));
  return file->Append(task.data, task.bytes);
}

}  // namespace

Result<std::vector<CheckpointFile>> ListCheckpointFolder(const std::string& folder) {
  TVLM_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  std::vector<CheckpointFile> files;
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    const std::optional<uint64_t> bytes = FileBytes(path);
    if (bytes.has_value()) {
      files.push_back({name, *bytes});
    } else if (IsFolder(path)) {
      files.push_back({name + "/", 0});
    }
  }
  return files;
}

Status Convert(const ConvertOptions& options, const ConvertProgress& progress) {
  if (options.output.ends_with(".safetensors") || options.output.ends_with(".json")) {
    return Error(
        ErrorCode::kInvalidArgument,
        "%s: the name of a .gguf file to write wanted, that of a part of a checkpoint found",
        options.output.c_str());
  }
  TVLM_RETURN_IF_ERROR(CheckConversionOptions(options));
  TVLM_RETURN_IF_ERROR(RejectThirdPartyPath(options.checkpoint));
  ConversionInput input;
  TVLM_ASSIGN_OR_RETURN(input.files, ListCheckpointFolder(options.checkpoint));
  input.request_bytes = kRequestBytes;
  FolderReader reader(options.checkpoint, input.files);
  ConversionOptions named = options;
  named.name = options.checkpoint;
  TVLM_ASSIGN_OR_RETURN(const std::unique_ptr<Conversion> conversion,
                        Conversion::Create(std::move(named), std::move(input)));
  std::optional<FileWriter> output;
  size_t told = 0;  // warnings
  for (;;) {
    const Result<ConversionTask> next = conversion->Next();
    for (; told < conversion->warnings().size(); ++told)
      if (options.warn) options.warn(conversion->warnings()[told]);
    if (!next.ok()) return next.status();
    const ConversionTask& task = *next;
    switch (task.kind) {
      case ConversionTask::Kind::kRead:
        TVLM_RETURN_IF_ERROR(reader.Read(task));
        TVLM_RETURN_IF_ERROR(conversion->Supply(uint64_t{task.bytes} * task.runs));
        break;
      case ConversionTask::Kind::kWrite:
        if (!output.has_value()) {
          TVLM_ASSIGN_OR_RETURN(output, FileWriter::Create(options.output));
        }
        TVLM_RETURN_IF_ERROR(Write(task, &*output));
        if (progress && task.offset > 0)
          progress(task.offset + task.bytes - conversion->header_bytes(), conversion->data_bytes());
        break;
      case ConversionTask::Kind::kRestart:
        output.reset();
        break;
      case ConversionTask::Kind::kDone:
        return output->Commit();
    }
  }
}

}  // namespace tinyvlm
