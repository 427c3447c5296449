#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/warnings.h"
#include "engine/memory_estimate.h"
#include "engine/model.h"
#include "engine/model_file.h"
#include "engine/session.h"
#include "formats/gguf.h"
#include "formats/gguf_reader.h"

namespace tinyvlm {

namespace {

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void PrintValue(const Metadata& meta, const Metadata::Entry& entry) {
  const std::string key(entry.key);
  if (entry.is_array) {
    std::printf("  %s: %" PRIu64 " values", key.c_str(), entry.count);
    if (entry.count <= 16) {
      if (const auto ints = meta.GetI32Array(key); ints.ok()) {
        for (const int32_t value : *ints) std::printf(" %" PRId32, value);
      } else if (const auto floats = meta.GetF32Array(key); floats.ok()) {
        for (const float value : *floats) std::printf(" %g", static_cast<double>(value));
      }
    }
    std::printf("\n");
  } else if (const auto text = meta.GetString(key); text.ok()) {
    // Chat templates have many lines, and control characters must not reach the terminal.
    std::string line = *text;
    if (line.size() > 100) {
      size_t end = 97;
      while (end > 0 && (static_cast<uint8_t>(line[end]) & 0xc0) == 0x80) --end;  // inside UTF-8
      line = line.substr(0, end) + "...";
    }
    std::replace_if(
        line.begin(), line.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    std::printf("  %s: %s\n", key.c_str(), line.c_str());
  } else if (const auto boolean = meta.GetBool(key); boolean.ok()) {
    std::printf("  %s: %s\n", key.c_str(), *boolean ? "true" : "false");
  } else if (const auto number = meta.GetI32(key); number.ok()) {
    std::printf("  %s: %" PRId32 "\n", key.c_str(), *number);
  } else if (const auto real = meta.GetF32(key); real.ok()) {
    std::printf("  %s: %g\n", key.c_str(), static_cast<double>(*real));
  } else {
    std::printf("  %s: %" PRIu64 " bytes\n", key.c_str(),
                static_cast<uint64_t>(entry.values.size()));
  }
}

// Says which matrices could not get a type of blocks, and why.
void PrintShortRows(const GgufFile& file) {
  constexpr uint64_t kBlock = 32;
  constexpr size_t kShown = 6;
  bool has_blocks = false;
  std::vector<const TensorInfo*> kept;
  for (const TensorInfo& tensor : file.tensors) {
    has_blocks = has_blocks || GetDTypeInfo(tensor.type).block_elements > 1;
    if (tensor.type == DType::kF16 && tensor.shape.size() == 2 && tensor.shape[1] % kBlock != 0)
      kept.push_back(&tensor);
  }
  if (!has_blocks || kept.empty()) return;
  std::printf("\n%zu %s F16 because rows that are not a multiple of %" PRIu64
              " cannot be cut into blocks:",
              kept.size(), kept.size() == 1 ? "matrix is" : "matrices are", kBlock);
  for (size_t i = 0; i < std::min(kShown, kept.size()); ++i) {
    std::printf("%s %s (rows of %" PRIu64 ")", i == 0 ? "" : ",", kept[i]->name.c_str(),
                kept[i]->shape[1]);
  }
  if (kept.size() > kShown) std::printf(" and %zu more", kept.size() - kShown);
  std::printf("\n");
}

// Bytes that a session with default options takes, tokenizer and f32 copies of weights included;
// sets its context.
Result<uint64_t> EstimateSession(const std::shared_ptr<Model>& model, size_t* context) {
  const auto options = [context](size_t max_context) -> Result<SessionOptions> {
    SessionOptions session;
    session.context = std::min(session.context, max_context);
    *context = session.context;
    return session;
  };
  TVLM_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateMemory(model, options));
  return estimate.widened + estimate.tokenizer + estimate.kv_cache + estimate.activations;
}

}  // namespace

Status RunInspect(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(const Flags flags,
                        Flags::Parse(arguments, {"--variant", "--threads"}, {"--verify"}, 1, 1));
  const std::string& path = flags.positional()[0];
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile opened, RandomAccessFile::Open(path));
  Result<GgufFile> header = ReadGgufHeader(opened);
  if (!header.ok()) return Status(header.status().code(), path + ": " + header.status().message());
  GgufFile& file = *header;

  std::printf("%s: GGUF version %u, %.2f MB, header %.2f MB\n\nkeys\n", path.c_str(), file.version,
              Megabytes(opened.size()), Megabytes(file.data_offset));
  for (const Metadata::Entry& entry : file.metadata.entries()) PrintValue(file.metadata, entry);

  struct Sum {
    size_t tensors = 0;
    uint64_t elements = 0, bytes = 0;
  };
  std::map<std::string, Sum> by_type;
  Sum all;
  std::printf("\ntensors (in the order of the file)\n");
  for (const TensorInfo& tensor : file.tensors) {
    TVLM_ASSIGN_OR_RETURN(const uint64_t elements, ElementCount(tensor.shape));
    const char* const type = GetDTypeInfo(tensor.type).name;
    std::printf("  %-34s %-5s %-18s %12" PRIu64 " bytes at %" PRIu64 "\n", tensor.name.c_str(),
                type, ShapeToString(tensor.shape).c_str(), tensor.bytes, tensor.offset);
    for (Sum* sum : {&by_type[type], &all}) {
      ++sum->tensors;
      sum->elements += elements;
      sum->bytes += tensor.bytes;
    }
  }
  std::printf("\nsizes\n");
  for (const auto& [type, sum] : by_type) {
    std::printf("  %-5s %5zu tensors %14" PRIu64 " weights %10.2f MB\n", type.c_str(), sum.tensors,
                sum.elements, Megabytes(sum.bytes));
  }
  std::printf("  all   %5zu tensors %14" PRIu64 " weights %10.2f MB\n", all.tensors, all.elements,
              Megabytes(all.bytes));
  PrintShortRows(file);
  if (const Status status = CheckFileBytes(file, opened.size()); !status.ok())
    return Status(status.code(), path + ": " + status.message());
  if (flags.Has("--verify")) {
    if (const Status status = VerifyGgufData(opened, file); !status.ok())
      return Status(status.code(), path + ": " + status.message());
    std::printf("\n%s\n", file.chunk_size == 0
                              ? "the file carries no hashes: its bytes cannot be verified"
                              : "every byte has the SHA-256 that the file carries");
  }

  const uint64_t weights = file.data_bytes;
  const bool mapped = CanMapWeights(opened, file);
  size_t context = 0;
  const auto model = Model::Create(std::move(file), 1);
  const Result<uint64_t> session = model.ok() ? EstimateSession(*model, &context) : model.status();
  if (!session.ok()) {
    std::printf("\nmemory: cannot be used by this build: %s\n", session.status().message().c_str());
    return Status();
  }
  for (const std::string& warning : (*model)->warnings()) PrintWarning(warning);
  if (mapped) {
    std::printf(
        "\nmemory (estimate): %.1f MB for a session (context %zu, one thread); %.1f MB weights are "
        "mapped from the file, and the system drops them where it needs the memory\n",
        Megabytes(*session), context, Megabytes(weights));
    return Status();
  }
  std::printf(
      "\nmemory (estimate): %.1f MB weights + %.1f MB for a session (context %zu, one thread) = "
      "%.1f MB\n",
      Megabytes(weights), Megabytes(*session), context, Megabytes(weights + *session));
  return Status();
}

}  // namespace tinyvlm
