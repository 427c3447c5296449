#include <inflate.c>
