#include "convert/weight_window.h"

#include <algorithm>
#include <cinttypes>
#include <tuple>

namespace tinyvlm {

namespace {

bool IsBefore(const WeightRead& a, const WeightRead& b) {
  return std::tie(a.file, a.offset) < std::tie(b.file, b.offset);
}

// The byte of `read`'s destination that holds byte `offset` of the file, if that byte and the
// `bytes - 1` behind it are in one of its runs.
const uint8_t* Locate(const WeightRead& read, uint64_t offset, uint64_t bytes) {
  const uint64_t distance = offset - read.offset, run = read.runs == 1 ? 0 : distance / read.stride,
                 within = distance - run * read.stride;
  if (run >= read.runs || within > read.bytes || bytes > read.bytes - within) return nullptr;
  return read.destination + run * read.bytes + within;
}

}  // namespace

Status WeightWindow::Load(std::span<const WeightRange> ranges) {
  std::vector<WeightRead> wanted;
  for (const WeightRange& range : ranges) {
    const size_t element = SafetensorsTypeBytes(range.tensor->type);
    const bool whole = range.runs == 1 || range.step == range.count;
    WeightRead read;
    read.file = range.tensor->file;
    read.offset = range.tensor->offset + range.first * element;
    read.bytes = static_cast<size_t>((whole ? range.runs : 1) * range.count * element);
    read.runs = whole ? 1 : static_cast<size_t>(range.runs);
    read.stride = whole ? 0 : range.step * element;
    if (read.bytes > 0) wanted.push_back(read);
  }
  std::sort(wanted.begin(), wanted.end(), IsBefore);
  reads_.clear();
  for (const WeightRead& read : wanted) {
    WeightRead* const last = reads_.empty() ? nullptr : &reads_.back();
    const bool joins = last != nullptr && last->file == read.file && last->runs == 1 &&
                       read.runs == 1 && read.offset <= last->offset + last->bytes;
    if (!joins) {
      reads_.push_back(read);
      continue;
    }
    const uint64_t end = std::max(last->offset + last->bytes, read.offset + read.bytes);
    last->bytes = static_cast<size_t>(end - last->offset);
  }
  uint64_t total = 0;
  for (const WeightRead& read : reads_) total += uint64_t{read.bytes} * read.runs;
  if (total > buffer_.size()) {
    buffer_ = AlignedBuffer<uint8_t>();  // two need not fit
    TVLM_ASSIGN_OR_RETURN(buffer_, AlignedBuffer<uint8_t>::Allocate(total, "weights to convert"));
  }
  size_t used = 0;
  for (WeightRead& read : reads_) {
    read.destination = buffer_.data() + used;
    used += read.bytes * read.runs;
  }
  return Status();
}

Result<const uint8_t*> WeightWindow::Bytes(const SafetensorsTensor& tensor, uint64_t first,
                                           size_t count) const {
  const uint64_t element = SafetensorsTypeBytes(tensor.type),
                 offset = tensor.offset + first * element;
  WeightRead wanted;
  wanted.file = tensor.file;
  wanted.offset = offset;
  // Runs of one tensor may lie between those of a read that began before them.
  auto at = std::upper_bound(reads_.begin(), reads_.end(), wanted, IsBefore);
  while (at != reads_.begin()) {
    --at;
    if (at->file != tensor.file) break;
    const uint8_t* const bytes = Locate(*at, offset, count * element);
    if (bytes != nullptr) return bytes;
  }
  return Error(ErrorCode::kInternal,
               "tensor %s: %zu elements from element %" PRIu64 " on wanted, not in memory",
               tensor.name_in_file.c_str(), count, first);
}

Status WeightWindow::ReadF32(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                             float* values) const {
  TVLM_ASSIGN_OR_RETURN(const uint8_t* const bytes, Bytes(tensor, first, count));
  return DecodeF32(tensor, bytes, count, values);
}

}  // namespace tinyvlm
