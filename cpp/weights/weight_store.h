// The model's weights. Models bind tensors by name from the header alone. The data section is
//   - in a buffer that the store owns and the file is written into, in the file's order: when the
//     bytes of a bound tensor have arrived it is packed in place (matrices; there is no second
//     copy) or copied as f32 (small tensors). Tensors of a panel16 file stay as they are.
//   - or in borrowed memory (a mapped file): complete, read-only, panel16 only.
#ifndef TINYVLM_WEIGHTS_WEIGHT_STORE_H_
#define TINYVLM_WEIGHTS_WEIGHT_STORE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "formats/gguf.h"
#include "kernels/pack.h"
#include "weights/packing.h"

namespace tinyvlm {

// The whole data section of a panel16 file, in memory that the store only reads.
struct BorrowedWeights {
  // at least GgufFile::tensor_bytes, aligned to 4; best to 64, so that no vector crosses a cache
  // line
  std::span<const uint8_t> bytes;
  // Keeps `bytes` in place as long as the store lives; null where the caller does.
  std::shared_ptr<const void> owner;
};

// Pointers that Bind... returns are borrowed: they stay the same and valid as long as the store
// lives. Until ready_bytes() covers them their contents are undefined.
class WeightStore {
 public:
  // Allocates the data section that `file`, which outlives the store, describes. Errors:
  // out_of_memory, those of ReadPacking.
  static Result<std::unique_ptr<WeightStore>> Create(const GgufFile& file);

  // True where weights at this place can be borrowed: they are aligned to 4 bytes.
  static bool CanBorrow(std::span<const uint8_t> bytes);

  // Reads `weights` in place; `file` outlives the store. Errors: invalid_argument where the file is
  // not panel16, or where `weights` has too few bytes or is misaligned; those of ReadPacking.
  static Result<std::unique_ptr<WeightStore>> CreateInPlace(const GgufFile& file,
                                                            BorrowedWeights weights);

  const GgufFile& file() const { return file_; }
  Packing packing() const { return packing_; }

  // The matrix `name` of n rows of length k ([n, k], outermost first). `interleaved` is the length
  // of the runs of rows (n is a multiple) whose halves the file interleaves: its row 2i + j of a
  // run is row j * interleaved/2 + i of the matrix; 0: none are. Errors of the Bind functions:
  // not_found, invalid_file (shape or type) and unsupported name the tensor; out_of_memory.
  Result<PackedMatrix> BindMatrix(const std::string& name, uint64_t n, uint64_t k,
                                  uint64_t interleaved = 0);

  // The vector `name` of n values as f32; `interleaved` as above.
  Result<const float*> BindVector(const std::string& name, uint64_t n, uint64_t interleaved = 0);

  // The convolution kernel `name` of shape [cout, cin_per_group, size, size] as f32 in the order
  // that the kernels read: [size*size*cin_per_group][cout], ky slowest, then kx, then the input
  // channel.
  Result<const float*> BindKernel(const std::string& name, uint64_t cout, uint64_t cin_per_group,
                                  uint64_t size);

  // Number of leading data bytes that cover every tensor bound since the last call: what a step
  // that uses them must wait for.
  uint64_t TakeBoundEnd();

  // Where the data section is written; null for borrowed weights, which are complete.
  uint8_t* data() { return data_.data(); }

  // The data bytes [0, bytes) are in place: finishes every bound tensor that is now whole. Never
  // goes back. Not called for borrowed weights.
  void SetReceived(uint64_t bytes);

  // Number of leading data bytes whose tensors are finished; compare with TakeBoundEnd().
  uint64_t ready_bytes() const { return ready_bytes_; }

  // Bytes of the f32 copies of small tensors, for memory reports. 0 in panel16 files.
  uint64_t widened_bytes() const { return widened_bytes_; }

  // Bytes of the data section that the store allocated: all, or none where they are borrowed.
  uint64_t owned_bytes() const { return data_.size(); }

 private:
  // What is left to do with a tensor that has arrived; kUnbound: it is not bound yet.
  enum class Finish { kUnbound, kNothing, kPack, kWiden, kTranspose };
  struct Bound {
    Finish finish = Finish::kUnbound;
    float* out = nullptr;  // kWiden, kTranspose
    // kTranspose: [rows][cols] -> [cols][rows]; kPack: n, k; kWiden: 1, n
    uint64_t rows = 0, cols = 0;
    uint64_t interleaved = 0;  // kPack, kWiden
  };

  WeightStore(const GgufFile& file, Packing packing) : file_(file), packing_(packing) {}
  Result<size_t> FindTensor(const std::string& name) const;
  Result<const float*> BindPackedFloats(size_t tensor);
  Result<float*> AllocateFloats(size_t tensor, const std::string& name);
  Status ReserveScratch(uint64_t bytes);
  void FinishTensor(size_t tensor);

  const GgufFile& file_;
  const Packing packing_;
  AlignedBuffer<uint8_t> data_;        // empty where the weights are borrowed
  std::shared_ptr<const void> owner_;  // of borrowed weights
  const uint8_t* begin_ = nullptr;     // of the data section
  std::vector<Bound> bound_;           // indexed like file_.tensors
  std::vector<AlignedBuffer<float>> widened_;
  AlignedBuffer<uint8_t> pack_scratch_;  // a panel, or a run of interleaved rows
  AlignedBuffer<float> row_scratch_;
  uint64_t widened_bytes_ = 0;
  uint64_t bound_end_ = 0;
  uint64_t received_ = 0;
  uint64_t ready_bytes_ = 0;
  size_t next_ = 0;  // first tensor, in file order, that is not finished
};

}  // namespace tinyvlm

#endif  // TINYVLM_WEIGHTS_WEIGHT_STORE_H_
