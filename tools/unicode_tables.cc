// Writes cpp/text/unicode_tables.cc to standard output.
#include <cstdio>

#include "unicode_tables_generator.h"

int main() { std::fputs(tinyvlm::unicode::GenerateUnicodeTables().c_str(), stdout); }
