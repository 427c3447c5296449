// Every header of the C library begins with this one: what tells bionic from others is set here.
#pragma once

#include_next <features.h>
#include <sys/cdefs.h>
