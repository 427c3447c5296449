// A checkpoint -> a model file, one request at a time: for bytes that arrive asynchronously and go
// wherever the caller wants.
#ifndef TINYVLM_CONVERT_CONVERSION_H_
#define TINYVLM_CONVERT_CONVERSION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "convert/conversion_options.h"

namespace tinyvlm {

// What a conversion converts.
struct ConversionInput {
  // All files of the checkpoint. Only those that are needed are asked for; the others help to say
  // what it is, where it is no FastVLM.
  std::vector<CheckpointFile> files;
  // Bytes of weights that are asked for at once, about: at most so many are in memory.
  uint64_t request_bytes = uint64_t{4} << 20;
  // To go on with an interrupted conversion of the same files with the same options: the SHA-256 of
  // each chunk of the data section that is stored already, 32 bytes each, from the first on. That
  // the stored bytes have these hashes is for the caller to verify.
  std::vector<uint8_t> stored_hashes;
  // Where there are such hashes: header_bytes() of that conversion, at which the first chunk is
  // stored.
  uint64_t stored_header_bytes = 0;
};

// What a conversion wants next. Pointers are valid until the next call of Next.
struct ConversionTask {
  enum class Kind {
    kRead,     // read from `file` what is described, then call Supply
    kWrite,    // store `bytes` bytes from `data` at `offset` of the model file
    kRestart,  // forget what was stored, the model file begins anew (Conversion says when)
    kDone,     // the model file is complete
  };
  Kind kind = Kind::kDone;
  uint64_t offset = 0;  // of the first byte, in `file` or in the model file
  size_t bytes = 0;     // of a run, or to be stored

  // kRead: `runs` runs of `bytes` bytes each, `stride` bytes from the beginning of one to that of
  // the next, one behind the other to `destination`. Of all but the equaliser's samples there is
  // one run. Small files are asked for whole.
  std::string_view file;
  size_t runs = 1;
  uint64_t stride = 0;  // 0 for one run
  uint8_t* destination = nullptr;

  // kWrite. The data section comes first, chunk by chunk in order, each with its SHA-256; the
  // header, which holds these hashes, comes last, at offset 0.
  const uint8_t* data = nullptr;
  std::array<uint8_t, 32> sha256{};  // of a chunk; zeros for the header
};

// The state of a conversion. No threads, no callbacks; memory does not grow with the model: besides
// small files and headers there are the weights of one request, two buffers of 1 MB for the values
// being converted (more where a kernel is larger) and a chunk of the result.
//
// Requests follow the order of the result: configs, the headers of all safetensors files,
// tokenizer; then tower, projector, embedding, decoder, head. Ranges that touch in a file become
// one request, up to `request_bytes`. Every byte of the checkpoint is asked for at most once, with
// three exceptions:
//   - For quantised types the equaliser samples rows of a layer's q, k, v, gate, up and down just
//     before the layer is converted, which then reads them whole: at most 511 rows of each matrix,
//     requests with several runs. Where runs are dear, as over a network, a caller may read the
//     whole of (runs - 1) * stride + bytes and keep it for a moment, since it is asked for next.
//   - A head beside the embedding, which is stored only where it differs, is first compared with it
//     in three places, 16384 values each.
//   - A tensor that is there twice is first compared with its copy, which is not read again.
// A head that is equal there is compared with the embedding while that is converted. Should it
// differ after all, a restart follows: what was stored is of a file without a head.
class Conversion {
 public:
  // kInvalidArgument for options or hashes that cannot be.
  static Result<std::unique_ptr<Conversion>> Create(ConversionOptions options,
                                                    ConversionInput input);
  ~Conversion();
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;

  // What to do next. A read that was not supplied is returned again; a write is returned once.
  // After an error every call returns that error. Errors name file and tensor, key or element.
  Result<ConversionTask> Next();

  // Tells that the bytes of the read that Next returned are at its destination: `bytes` of them, in
  // all runs. kInvalidFile where these are fewer or more than were asked for, which ends the
  // conversion; kNotReady where no read is wanted.
  Status Supply(uint64_t bytes);

  // Bytes of the model file's header and of its data section; 0 until the first write. After a
  // restart they are others.
  uint64_t header_bytes() const;
  uint64_t data_bytes() const;

  // Sentences about what is odd but can be converted: weights that are not used, duplicates, an
  // unknown model_type. Some may be there before an error; none is added after the first write.
  const std::vector<std::string>& warnings() const;

  // Bytes of all buffers for weights at this time.
  size_t buffer_bytes() const;

 private:
  class State;
  explicit Conversion(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CONVERSION_H_
