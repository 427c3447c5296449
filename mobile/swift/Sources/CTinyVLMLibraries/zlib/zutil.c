#include <zutil.c>
