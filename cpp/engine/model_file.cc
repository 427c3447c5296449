#include "engine/model_file.h"

#include <algorithm>
#include <thread>

#include "base/file.h"
#include "engine/model_loader.h"

namespace tinyvlm {

namespace {

constexpr uint64_t kReadBytes = 4 << 20;

Status WithPath(const std::string& path, const Status& status) {
  return Status(status.code(), path + ": " + status.message());
}

}  // namespace

Result<std::shared_ptr<Model>> LoadModel(const std::string& path, size_t threads, ModelUse use) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile file, RandomAccessFile::Open(path));
  ModelLoader loader(threads, use);
  for (uint64_t offset = 0; offset < file.size();) {
    // The first read is small, so that a foreign file of any size is recognised at once.
    const uint64_t bytes =
        std::min<uint64_t>(offset == 0 ? 64 * 1024 : kReadBytes, file.size() - offset);
    const Result<uint8_t*> place = loader.Reserve(bytes);
    if (!place.ok()) return WithPath(path, place.status());
    TVLM_RETURN_IF_ERROR(file.ReadAt(offset, *place, static_cast<size_t>(bytes)));
    if (const Status status = loader.Commit(bytes); !status.ok()) return WithPath(path, status);
    offset += bytes;
  }
  if (const Status status = loader.End(); !status.ok()) return WithPath(path, status);
  return loader.model();
}

size_t DefaultThreads() {
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  return 1;
#else
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 8);
#endif
}

}  // namespace tinyvlm
