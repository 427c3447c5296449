// Makes cpp/text/unicode_tables.cc (see text/unicode_tables.h) from utf8proc's public functions.
#ifndef TINYVLM_TOOLS_UNICODE_TABLES_GENERATOR_H_
#define TINYVLM_TOOLS_UNICODE_TABLES_GENERATOR_H_

#include <string>

namespace tinyvlm::unicode {

// The whole text of the source file. Ends the process with a message where utf8proc's data does not
// fit the tables' types.
std::string GenerateUnicodeTables();

}  // namespace tinyvlm::unicode

#endif  // TINYVLM_TOOLS_UNICODE_TABLES_GENERATOR_H_
