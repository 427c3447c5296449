#include "image/byte_source.h"

#include <algorithm>

namespace tinyvlm {

Result<std::span<const uint8_t>> ByteWindow::At(size_t offset, size_t least) {
  if (!source_->read_) return source_->memory_.subspan(offset);
  const size_t left = size() - offset;
  least = std::min(least, left);
  if (offset < begin_ || offset - begin_ > filled_ || filled_ - (offset - begin_) < least) {
    const size_t wanted = std::max(capacity_, least);
    if (buffer_.size() < wanted) {
      TVLM_ASSIGN_OR_RETURN(buffer_, AlignedBuffer<uint8_t>::Allocate(wanted, "image file"));
    }
    filled_ = 0;
    const size_t bytes = std::min(wanted, left);
    TVLM_RETURN_IF_ERROR(source_->read_(offset, buffer_.data(), bytes));
    begin_ = offset;
    filled_ = bytes;
  }
  return std::span<const uint8_t>(buffer_.data(), filled_).subspan(offset - begin_);
}

}  // namespace tinyvlm
