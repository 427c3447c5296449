// The interface of a backend, which runs a model on the CPU or on another device. A model has one
// backend, which does all expensive work and knows nothing of text, prompts or sessions. It is
// independent of the build variant (scalar, simd, ...) that runs.
#ifndef TINYVLM_BACKEND_BACKEND_H_
#define TINYVLM_BACKEND_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "backend/compute.h"
#include "backend/decoder.h"
#include "backend/model_description.h"
#include "backend/taps.h"
#include "backend/vision_encoder.h"
#include "base/status.h"

namespace tinyvlm {

struct VisionEncoderOptions {
  size_t height = 0, width = 0;  // of the images, in pixels
  Compute compute = Compute::kFast;
  Taps* taps = nullptr;  // outlives the encoder; null: nothing is traced
};

struct DecoderOptions {
  size_t context = 0;  // tokens that the KV cache holds
  Compute compute = Compute::kFast;
  // outlives the decoder; null: nothing is traced. With taps the last norm is computed for every
  // row
  Taps* taps = nullptr;
};

// Threads: encoders and decoders may be created on any thread, and each may be used on a thread of
// its own, one thread at a time; where the backend has one set of resources they take turns, a
// bounded piece of work each. Weights are received on one thread, while others compute.
class Backend {
 public:
  virtual ~Backend() = default;

  // A short name for reports, such as "cpu".
  virtual const char* name() const = 0;

  // CPU threads that compute, the caller's included.
  virtual size_t threads() const = 0;

  // ---- weights: the file's data section, which arrives front to back

  // Where to write data bytes [offset, offset + bytes). Until SetReceived covers them, what was
  // written there can be read back, and adjacent ranges have adjacent addresses. `offset + bytes`
  // is at most the file's data_bytes. Errors: out_of_memory, those of a device.
  virtual Result<uint8_t*> WeightPlace(uint64_t offset, uint64_t bytes) = 0;

  // Data bytes [0, bytes) are in place and verified; `bytes` never decreases. The backend may
  // reorder them in place. May wait for a piece of work of another thread. Errors: those of a
  // device.
  virtual Status SetReceived(uint64_t bytes) = 0;

  // Bytes that weights take besides the file's data section.
  virtual uint64_t extra_weight_bytes() const = 0;

  // ---- computing; what is created must not outlive the backend

  // Plans the tower for images of one size and allocates every buffer. The model has vision.
  // Errors: out_of_memory, those of a device.
  virtual Result<std::unique_ptr<VisionEncoder>> CreateVisionEncoder(
      const VisionEncoderOptions& options) = 0;

  // Allocates cache and buffers. Errors: out_of_memory, those of a device.
  virtual Result<std::unique_ptr<Decoder>> CreateDecoder(const DecoderOptions& options) = 0;
};

// Makes the backend of a model: allocates the weights and binds them. `model` is complete and
// outlives the backend.
using BackendFactory =
    std::function<Result<std::unique_ptr<Backend>>(const ModelDescription& model)>;

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_BACKEND_H_
