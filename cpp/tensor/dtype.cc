#include "tensor/dtype.h"

namespace tinyvlm {

const DTypeInfo* FindDTypeInfo(uint32_t ggml_type) {
  static constexpr DTypeInfo kF32{"f32", 1, 4}, kF16{"f16", 1, 2}, kBF16{"bf16", 1, 2},
      kI64{"i64", 1, 8};
  static constexpr DTypeInfo kQ4_0{"q4_0", 32, 18}, kQ4_1{"q4_1", 32, 20}, kQ5_0{"q5_0", 32, 22},
      kQ5_1{"q5_1", 32, 24}, kQ8_0{"q8_0", 32, 34};
  static constexpr DTypeInfo kQ4_K{"q4_k", 256, 144}, kQ5_K{"q5_k", 256, 176},
      kQ6_K{"q6_k", 256, 210};
  switch (static_cast<DType>(ggml_type)) {
    case DType::kF32:
      return &kF32;
    case DType::kF16:
      return &kF16;
    case DType::kQ4_0:
      return &kQ4_0;
    case DType::kQ4_1:
      return &kQ4_1;
    case DType::kQ5_0:
      return &kQ5_0;
    case DType::kQ5_1:
      return &kQ5_1;
    case DType::kQ8_0:
      return &kQ8_0;
    case DType::kQ4_K:
      return &kQ4_K;
    case DType::kQ5_K:
      return &kQ5_K;
    case DType::kQ6_K:
      return &kQ6_K;
    case DType::kI64:
      return &kI64;
    case DType::kBF16:
      return &kBF16;
  }
  return nullptr;
}

const DTypeInfo& GetDTypeInfo(DType type) { return *FindDTypeInfo(static_cast<uint32_t>(type)); }

}  // namespace tinyvlm
