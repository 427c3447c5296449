#include <inffast.c>
