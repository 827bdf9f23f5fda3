/* SPDX-License-Identifier: MIT */
/* Raises LibraryError for a library that cannot be loaded. */
#include "op/library.h"

#include "core/error.h"

void spt_library_need_slowly(lua_State *L, unsigned needs)
{
    struct spt_library_failure failure;
    if (spt_library_load(needs, &failure))
        return;
    spt_error_push(L, "LibraryError", "cannot load the library %s: %s", failure.soname,
                   failure.text);
    lua_pushstring(L, failure.soname);
    lua_setfield(L, -2, "library");
    lua_error(L);
}
