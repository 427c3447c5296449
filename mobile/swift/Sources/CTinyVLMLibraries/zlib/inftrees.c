#include <inftrees.c>
