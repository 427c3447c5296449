// Sizes and names of GGUF's value types, for the parser and the metadata accessors.
#ifndef TINYVLM_FORMATS_GGUF_TYPE_H_
#define TINYVLM_FORMATS_GGUF_TYPE_H_

#include <cstdint>

#include "formats/gguf.h"

namespace tinyvlm {

// Bytes of a value of fixed size; 0 for strings, arrays and unknown types.
inline uint64_t GgufTypeBytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

// "u32", "string", ...: for error messages.
inline const char* GgufTypeName(GgufType type) {
  static constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<uint32_t>(type)];
}

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_GGUF_TYPE_H_
