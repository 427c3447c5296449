// The model's bytes: one buffer that the file's data section is written into, in the file's order.
// Models bind tensors by name from the header alone; when the bytes of a bound tensor have arrived
// it is packed in place (matrices) or widened to f32 (small tensors). No second copy exists.
#ifndef TINYVLM_WEIGHTS_WEIGHT_STORE_H_
#define TINYVLM_WEIGHTS_WEIGHT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "formats/gguf.h"
#include "kernels/pack.h"

namespace tinyvlm {

class WeightStore {
 public:
  // Allocates the data section that `file` describes.
  static Result<std::unique_ptr<WeightStore>> Create(GgufFile file);

  const GgufFile& file() const { return file_; }
  bool Has(std::string_view name) const;

  // The matrix `name` of n rows of length k ([n, k], outermost first). Its bytes may be read once
  // ready_bytes() covers it. `interleaved` is the length of the runs of rows (n is a multiple)
  // whose halves the file interleaves: its row 2i + j of a run is row j * interleaved/2 + i of the
  // matrix. 0: none are.
  Result<PackedMatrix> BindMatrix(const std::string& name, uint64_t n, uint64_t k,
                                  uint64_t interleaved = 0);

  // The vector `name` of n values as f32; `interleaved` as above.
  Result<const float*> BindVector(const std::string& name, uint64_t n, uint64_t interleaved = 0);

  // The convolution kernel `name` of shape [cout, cin_per_group, size, size] as f32 in the order
  // that the kernels read: [size*size*cin_per_group][cout], ky slowest, then kx, then the input
  // channel.
  Result<const float*> BindKernel(const std::string& name, uint64_t cout, uint64_t cin_per_group,
                                  uint64_t size);

  // An error that names the first tensor which nothing has bound: the file is then not of the kind
  // of model that it was taken for.
  Status CheckAllBound() const;

  // End of the last byte in the data section of anything bound since the last call: what a step
  // must wait for.
  uint64_t TakeBoundEnd();

  // Where the data section is written. Bytes beyond received() are undefined.
  uint8_t* data() { return data_.data(); }

  // The data bytes [0, bytes) are in place: finishes every bound tensor that is now whole. Never
  // goes back.
  void SetReceived(uint64_t bytes);

  // Number of leading data bytes whose tensors are finished; compare with TakeBoundEnd().
  uint64_t ready_bytes() const { return ready_bytes_; }

  // Bytes of the f32 copies of small tensors, for memory reports.
  uint64_t widened_bytes() const { return widened_bytes_; }

 private:
  enum class Finish { kNothing, kPack, kWiden, kTranspose };
  struct Bound {
    Finish finish = Finish::kNothing;
    float* out = nullptr;  // kWiden, kTranspose
    // kTranspose: [rows][cols] -> [cols][rows]; kPack: n, k; kWiden: 1, n
    uint64_t rows = 0, cols = 0;
    uint64_t interleaved = 0;  // kPack, kWiden
  };

  explicit WeightStore(GgufFile file) : file_(std::move(file)) {}
  Result<size_t> FindTensor(const std::string& name) const;
  Result<float*> AllocateFloats(size_t tensor, const std::string& name);
  Status ReserveScratch(uint64_t bytes);
  void FinishTensor(size_t tensor);

  GgufFile file_;
  AlignedBuffer<uint8_t> data_;
  std::vector<Bound> bound_;  // beside file_.tensors
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
