#include "tensor/shape.h"

#include <cinttypes>

namespace tinyvlm {

std::string ShapeToString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += Format("%s%" PRIu64, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

Result<uint64_t> ElementCount(const Shape& shape) {
  uint64_t count = 1;
  for (const uint64_t dim : shape) {
    if (!CheckedMultiply(count, dim, &count))
      return Error(ErrorCode::kInvalidFile, "shape %s has more elements than 64 bits can count",
                   ShapeToString(shape).c_str());
  }
  return count;
}

Result<uint64_t> ByteCount(const Shape& shape, DType type) {
  const DTypeInfo& info = GetDTypeInfo(type);
  TVLM_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(shape));
  const uint64_t row = shape.empty() ? 1 : shape.back();
  if (row % info.block_elements != 0) {
    return Error(ErrorCode::kInvalidFile,
                 "rows of %" PRIu64 " elements are not whole blocks of %u (%s)", row,
                 info.block_elements, info.name);
  }
  uint64_t bytes = 0;
  if (!CheckedMultiply(count / info.block_elements, info.block_bytes, &bytes)) {
    return Error(ErrorCode::kInvalidFile, "shape %s of %s has more bytes than 64 bits can count",
                 ShapeToString(shape).c_str(), info.name);
  }
  return bytes;
}

}  // namespace tinyvlm
