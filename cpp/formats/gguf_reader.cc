#include "formats/gguf_reader.h"

#include <algorithm>
#include <cinttypes>
#include <vector>

namespace tinyvlm {

Result<GgufFile> ReadGgufHeader(const RandomAccessFile& file) {
  constexpr uint64_t kFirstBytes = 64 * 1024;
  std::vector<uint8_t> prefix;
  uint64_t wanted = std::min(kFirstBytes, file.size());
  for (;;) {
    const size_t have = prefix.size();
    prefix.resize(static_cast<size_t>(wanted));
    TVLM_RETURN_IF_ERROR(file.ReadAt(have, prefix.data() + have, prefix.size() - have));
    TVLM_ASSIGN_OR_RETURN(GgufParse parse, ParseGgufHeader(prefix));
    if (parse.file.has_value()) {
      TVLM_RETURN_IF_ERROR(VerifyHeaderHash(
          *parse.file, {prefix.data(), static_cast<size_t>(parse.file->data_offset)}));
      return std::move(*parse.file);
    }
    if (wanted == file.size()) {
      return Error(ErrorCode::kInvalidFile,
                   "the file is truncated: it ends after %" PRIu64 " bytes, inside its header",
                   file.size());
    }
    wanted = std::min(file.size(), std::max(parse.bytes_needed, wanted * 2));
  }
}

Status VerifyGgufData(const RandomAccessFile& file, const GgufFile& header) {
  TVLM_RETURN_IF_ERROR(CheckFileBytes(header, file.size()));
  if (header.chunk_size == 0) return Status();
  std::vector<uint8_t> chunk;
  for (uint64_t begin = 0; begin < header.data_bytes; begin += header.chunk_size) {
    chunk.resize(static_cast<size_t>(std::min(header.chunk_size, header.data_bytes - begin)));
    TVLM_RETURN_IF_ERROR(file.ReadAt(header.data_offset + begin, chunk.data(), chunk.size()));
    TVLM_RETURN_IF_ERROR(VerifyChunk(header, begin / header.chunk_size, chunk));
  }
  return Status();
}

}  // namespace tinyvlm
