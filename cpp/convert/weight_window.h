// The part of a checkpoint's weights that is in memory at a time: which bytes are wanted, as few
// and long reads, and their values once the bytes are here.
#ifndef TINYVLM_CONVERT_WEIGHT_WINDOW_H_
#define TINYVLM_CONVERT_WEIGHT_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// Elements of a tensor: `runs` runs of `count` elements each, `step` elements from the beginning of
// one to that of the next.
struct WeightRange {
  const SafetensorsTensor* tensor = nullptr;
  uint64_t first = 0;  // element that the first run begins with
  uint64_t count = 0;
  uint64_t runs = 1;
  uint64_t step = 0;  // at least `count` where there are several runs

  // Bytes of all runs.
  uint64_t bytes() const { return runs * count * SafetensorsTypeBytes(tensor->type); }
};

// Bytes to be read from one file: `runs` runs of `bytes` bytes each, `stride` bytes from the
// beginning of one to that of the next.
struct WeightRead {
  uint32_t file = 0;    // index of the file (SafetensorsTensor::file)
  uint64_t offset = 0;  // of the first run in the file
  size_t bytes = 0;
  size_t runs = 1;
  uint64_t stride = 0;
  // Where the runs go, one behind the other. The window's; valid until the next Load.
  uint8_t* destination = nullptr;
};

class WeightWindow {
 public:
  // `weights` has the headers, and is borrowed.
  explicit WeightWindow(const Safetensors& weights) : weights_(weights) {}

  // Forgets what is here and wants `ranges` instead. Ranges that touch or overlap become one read.
  // kOutOfMemory where they do not fit.
  Status Load(std::span<const WeightRange> ranges);

  // The reads whose bytes make the window complete, in the order of files and offsets.
  const std::vector<WeightRead>& reads() const { return reads_; }

  // Null where the checkpoint has no such tensor.
  const SafetensorsTensor* Find(std::string_view name) const { return weights_.Find(name); }

  // The bytes of the elements [first, first + count), once the reads are done. kInternal for
  // elements that are not in the window.
  Result<const uint8_t*> Bytes(const SafetensorsTensor& tensor, uint64_t first, size_t count) const;

  // The same elements as f32.
  Status ReadF32(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                 float* values) const;

  // Bytes of memory that the window takes.
  size_t buffer_bytes() const { return buffer_.size(); }

 private:
  const Safetensors& weights_;
  std::vector<WeightRead> reads_;  // sorted by file and offset
  AlignedBuffer<uint8_t> buffer_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_WEIGHT_WINDOW_H_
