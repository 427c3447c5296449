// bionic knows the categories 0 to 5 and 7 to 12, and newlocale refuses other bits.
#pragma once

#include_next <locale.h>

#undef LC_ALL_MASK
#define LC_ALL_MASK 0x1fbf
