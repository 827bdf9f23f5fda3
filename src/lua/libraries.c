/* SPDX-License-Identifier: MIT */
/* Knows the standard libraries of Lua 5.4. */
#include "lua/libraries.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

bool spt_libraries_have(const char *name)
{
    static const char *const libraries[] = {
        LUA_GNAME,       LUA_COLIBNAME, LUA_DBLIBNAME,  LUA_IOLIBNAME,  LUA_LOADLIBNAME,
        LUA_MATHLIBNAME, LUA_OSLIBNAME, LUA_STRLIBNAME, LUA_TABLIBNAME, LUA_UTF8LIBNAME};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (strcmp(name, libraries[i]) == 0)
            return true;
    return false;
}
