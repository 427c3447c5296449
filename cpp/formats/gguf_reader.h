// The header of a GGUF file that is open.
#ifndef TINYVLM_FORMATS_GGUF_READER_H_
#define TINYVLM_FORMATS_GGUF_READER_H_

#include "base/file.h"
#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

// Reads as much of `file` as its header takes and checks the hash that it carries of itself. An
// error where the file ends inside its header. Messages do not name the file.
Result<GgufFile> ReadGgufHeader(const RandomAccessFile& file);

// Compares every chunk of the data section with its SHA-256, reading all of it, and the length of
// the file with what the header says. A file without hashes is only measured.
Status VerifyGgufData(const RandomAccessFile& file, const GgufFile& header);

}  // namespace tinyvlm

#endif  // TINYVLM_FORMATS_GGUF_READER_H_
