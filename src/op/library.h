/* SPDX-License-Identifier: MIT */
/* Loads the libraries of a feature for a script that uses it first. */
#ifndef SPT_OP_LIBRARY_H
#define SPT_OP_LIBRARY_H

#include <lua.h>
#include <string.h>

#include "base/library.h"

/* Loads what is missing of SPT_NEEDS_..., or raises LibraryError. */
void spt_library_need_slowly(lua_State *L, unsigned needs);

static inline void spt_library_need(lua_State *L, unsigned needs)
{
    if (!spt_library_is_loaded(needs))
        spt_library_need_slowly(L, needs);
}

/* Returns false, unless a function of http/ could do nothing, as its word "library" says: then it
 * loads what host names need and returns true, or raises LibraryError. */
static inline bool spt_library_was_missing(lua_State *L, const char *word)
{
    if (!word || strcmp(word, "library") != 0)
        return false;
    spt_library_need(L, SPT_NEEDS_IDN);
    return true;
}

#endif
