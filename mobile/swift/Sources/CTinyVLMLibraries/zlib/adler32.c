#include <adler32.c>
