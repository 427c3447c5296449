// Receives a model file front to back, in pieces of any size, straight into its final place: the
// file is never held a second time.
#ifndef TINYVLM_ENGINE_MODEL_LOADER_H_
#define TINYVLM_ENGINE_MODEL_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/aligned.h"
#include "base/status.h"
#include "engine/model.h"

namespace tinyvlm {

// Used by one thread at a time; sessions of model() may run on other threads meanwhile.
class ModelLoader {
 public:
  enum class State {
    kHeader = 0,   // the header is not whole yet: model() is null
    kLoading = 1,  // model() exists; work that needs missing weights waits for them
    kComplete = 2,
  };

  explicit ModelLoader(size_t threads, ModelUse use = ModelUse::kAsk);

  // For a backend other than the CPU's.
  explicit ModelLoader(BackendFactory make_backend, ModelUse use = ModelUse::kAsk)
      : make_backend_(std::move(make_backend)), use_(use) {}

  // Where to write the next `bytes` bytes (at least 1) of the file. Valid until the next call of
  // the loader; but bytes of the data section that were written there and not committed yet are
  // found at the same place when it is reserved again. Errors: invalid_file where the file is
  // longer than its header says; out_of_memory; the backend's.
  Result<uint8_t*> Reserve(uint64_t bytes);

  // `bytes` bytes have been written to the last Reserve()d place. Parses the header when it is
  // complete; after it, checks the hashes of complete chunks (files that `tiny-vlm convert` wrote
  // have them) and makes their tensors ready. After an error in the file the loader stays failed.
  Status Commit(uint64_t bytes);

  // Likewise for bytes whose hashes the caller has compared: the whole header, as the file's first
  // bytes; or whole chunks of the data section (the last one may be short), behind bytes that are
  // verified. Errors: also invalid_argument where they are not.
  Status CommitVerified(uint64_t bytes);

  // No more bytes will come: an error where the file is truncated.
  Status End();

  State state() const { return state_; }
  const std::shared_ptr<Model>& model() const { return model_; }

  // Bytes of the whole file; 0 while unknown. Counts padding at the end, which a file without
  // hashes may lack.
  uint64_t file_bytes() const {
    if (model_ == nullptr) return 0;
    return state_ == State::kComplete ? received_bytes()
                                      : header_bytes_ + model_->file().data_bytes;
  }
  uint64_t received_bytes() const { return header_bytes_ + data_received_; }

 private:
  enum class Hash { kCompare, kVerified };

  Status TakeReserved(uint64_t bytes);
  Status CommitHeader(uint64_t bytes, Hash hash);
  Status CommitData(uint64_t bytes);
  Status SetReceived();

  const BackendFactory make_backend_;
  const ModelUse use_;
  State state_ = State::kHeader;
  Status failure_;
  AlignedBuffer<uint8_t> header_;  // prefix of the file until its header is whole
  uint64_t header_bytes_ = 0;      // bytes in header_, then the length of the header
  uint64_t header_wanted_ = 0;     // a lower bound of the header's length
  uint64_t reserved_ = 0;
  std::shared_ptr<Model> model_;
  uint64_t data_received_ = 0;
  uint64_t chunk_bytes_ = 0;  // 0 where the file has no hashes
  uint64_t data_hashed_ = 0;  // leading bytes of the data section that were hashed
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_LOADER_H_
