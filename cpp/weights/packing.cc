#include "weights/packing.h"

#include <cinttypes>
#include <string>

#include "base/aligned.h"

namespace tinyvlm {

const char* PackingName(Packing packing) {
  switch (packing) {
    case Packing::kNone:
      return "none";
    case Packing::kPanel16:
      return "panel16";
  }
  return "";
}

Result<Packing> ParsePacking(std::string_view word) {
  for (const Packing packing : {Packing::kNone, Packing::kPanel16}) {
    if (word == PackingName(packing)) return packing;
  }
  return Error(ErrorCode::kInvalidArgument, "\"none\" or \"panel16\" wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Result<Packing> ReadPacking(const GgufFile& file) {
  if (file.metadata.Find(kPackingKey) == nullptr) return Packing::kNone;
  TVLM_ASSIGN_OR_RETURN(const std::string word, file.metadata.GetString(kPackingKey));
  const Result<Packing> packing = ParsePacking(word);
  if (!packing.ok())
    return Error(ErrorCode::kUnsupported, "%s: %s", kPackingKey,
                 packing.status().message().c_str());
  if (*packing == Packing::kPanel16 && file.alignment % kAlignment != 0) {
    return Error(ErrorCode::kInvalidFile,
                 "general.alignment: a multiple of %zu wanted in a panel16 file, %" PRIu64 " found",
                 kAlignment, file.alignment);
  }
  return packing;
}

}  // namespace tinyvlm
