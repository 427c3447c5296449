#include "engine/model_file.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "base/file.h"
#include "cpu/cpu_backend.h"
#include "engine/model_loader.h"

namespace tinyvlm {

namespace {

// The first read is small, so that a third-party file of any size is recognised at once.
constexpr uint64_t kFirstReadBytes = 64 * 1024;
constexpr uint64_t kReadBytes = 4 << 20;

// The same status, an error's message with `prefix` (the file's path) before it.
Status Prefixed(const std::string& prefix, const Status& status) {
  return status.ok() ? status : Status(status.code(), prefix + status.message());
}

// Gives the bytes of a model file to a loader: `read`(offset, to, bytes) copies some of them.
template <typename Read>
Result<std::shared_ptr<Model>> LoadCopy(const std::string& prefix, uint64_t length,
                                        const LoadOptions& options, const Read& read) {
  ModelLoader loader(options.threads, options.use);
  for (uint64_t offset = 0; offset < length;) {
    const uint64_t bytes =
        std::min<uint64_t>(offset == 0 ? kFirstReadBytes : kReadBytes, length - offset);
    const Result<uint8_t*> place = loader.Reserve(bytes);
    if (!place.ok()) return Prefixed(prefix, place.status());
    TVLM_RETURN_IF_ERROR(read(offset, *place, static_cast<size_t>(bytes)));
    TVLM_RETURN_IF_ERROR(Prefixed(prefix, loader.Commit(bytes)));
    offset += bytes;
    if (options.progress) TVLM_RETURN_IF_ERROR(Prefixed(prefix, options.progress(offset, length)));
  }
  TVLM_RETURN_IF_ERROR(Prefixed(prefix, loader.End()));
  return loader.model();
}

// Compares every chunk of the data section with its hash; the file has hashes.
Status VerifyChunks(const GgufFile& file, std::span<const uint8_t> data,
                    const LoadOptions& options) {
  const uint64_t length = file.data_offset + file.data_bytes;
  for (uint64_t begin = 0; begin < file.data_bytes; begin += file.chunk_size) {
    const uint64_t bytes = std::min(file.chunk_size, file.data_bytes - begin);
    TVLM_RETURN_IF_ERROR(
        VerifyChunk(file, begin / file.chunk_size,
                    data.subspan(static_cast<size_t>(begin), static_cast<size_t>(bytes))));
    if (options.progress)
      TVLM_RETURN_IF_ERROR(options.progress(file.data_offset + begin + bytes, length));
  }
  return Status();
}

// Whether the data section can be used where it is.
bool CanUseInPlace(const GgufFile& file, std::span<const uint8_t> data) {
  const Result<Packing> packing = ReadPacking(file);
  return packing.ok() && *packing != Packing::kNone && WeightStore::CanBorrow(data);
}

// Uses the bytes of a model file in place. Null where they have to be copied: bytes that are not
// panel16, or misaligned, or whose header is incomplete (the loader then reports the error).
Result<std::shared_ptr<Model>> LoadInPlace(std::span<const uint8_t> bytes,
                                           const LoadOptions& options,
                                           std::shared_ptr<const void> owner) {
  TVLM_ASSIGN_OR_RETURN(GgufParse parse, ParseGgufHeader(bytes));
  if (!parse.file.has_value()) return std::shared_ptr<Model>();
  GgufFile& file = *parse.file;
  const size_t header = static_cast<size_t>(file.data_offset);
  const std::span<const uint8_t> data = bytes.subspan(std::min(header, bytes.size()));
  const Result<Packing> packing = ReadPacking(file);
  if (packing.ok() && !CanUseInPlace(file, data)) return std::shared_ptr<Model>();
  TVLM_RETURN_IF_ERROR(CheckFileBytes(file, bytes.size()));
  TVLM_RETURN_IF_ERROR(VerifyHeaderHash(file, bytes.first(header)));
  TVLM_RETURN_IF_ERROR(packing.status());  // only after the header's hash is verified
  const bool hashed = options.verify && file.chunk_size != 0;
  if (hashed) TVLM_RETURN_IF_ERROR(VerifyChunks(file, data, options));
  TVLM_ASSIGN_OR_RETURN(
      std::shared_ptr<Model> model,
      Model::Create(std::move(file), MakeCpuBackend(options.threads, {data, std::move(owner)}),
                    options.use));
  if (options.progress && !hashed)  // else VerifyChunks has reported it
    TVLM_RETURN_IF_ERROR(options.progress(bytes.size(), bytes.size()));
  return model;
}

Result<std::shared_ptr<Model>> LoadFile(const RandomAccessFile& file, const LoadOptions& options) {
  const std::string prefix = file.path() + ": ";
  if (Result<MappedFile> mapped = MappedFile::Map(file); mapped.ok()) {
    const auto owner = std::make_shared<const MappedFile>(std::move(*mapped));
    const Result<std::shared_ptr<Model>> model = LoadInPlace(owner->bytes(), options, owner);
    if (!model.ok()) return Prefixed(prefix, model.status());
    if (*model != nullptr) return model;
  }
  return LoadCopy(prefix, file.size(), options,
                  [&file](uint64_t offset, uint8_t* to, size_t bytes) {
                    return file.ReadAt(offset, to, bytes);
                  });
}

}  // namespace

bool CanMapWeights(const RandomAccessFile& opened, const GgufFile& file) {
  const Result<MappedFile> mapped = MappedFile::Map(opened);
  return mapped.ok() && mapped->bytes().size() >= file.data_offset &&
         CanUseInPlace(file, mapped->bytes().subspan(static_cast<size_t>(file.data_offset)));
}

Result<std::shared_ptr<Model>> LoadModel(const std::string& path, const LoadOptions& options) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file, RandomAccessFile::Open(path));
  return LoadFile(file, options);
}

Result<std::shared_ptr<Model>> LoadModel(const std::string& path, size_t threads, ModelUse use) {
  LoadOptions options;
  options.threads = threads;
  options.use = use;
  return LoadModel(path, options);
}

Result<std::shared_ptr<Model>> LoadModelFromDescriptor(int descriptor, uint64_t offset,
                                                       uint64_t length,
                                                       const LoadOptions& options) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file,
                        RandomAccessFile::OpenRange(descriptor, offset, length));
  return LoadFile(file, options);
}

Result<std::shared_ptr<Model>> LoadModelFromMemory(std::span<const uint8_t> bytes,
                                                   const LoadOptions& options,
                                                   std::shared_ptr<const void> owner) {
  TVLM_ASSIGN_OR_RETURN(std::shared_ptr<Model> model,
                        LoadInPlace(bytes, options, std::move(owner)));
  if (model != nullptr) return model;
  return LoadCopy("", bytes.size(), options, [bytes](uint64_t offset, uint8_t* to, size_t count) {
    std::memcpy(to, bytes.data() + offset, count);
    return Status();
  });
}

size_t DefaultThreads() {
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  return 1;
#else
  // The rule of engine/options.json: many processors are hyper-threads or slow cores.
  const size_t processors = std::thread::hardware_concurrency();
  return std::clamp<size_t>(processors <= 4 ? processors : std::max<size_t>(4, processors / 2), 1,
                            8);
#endif
}

}  // namespace tinyvlm
