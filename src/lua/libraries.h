/* SPDX-License-Identifier: MIT */
/* The names of the standard libraries. */
#ifndef SPT_LUA_LIBRARIES_H
#define SPT_LUA_LIBRARIES_H

#include <stdbool.h>

/* Returns true if the name is that of a standard library, as package.loaded has it. */
bool spt_libraries_have(const char *name);

#endif
