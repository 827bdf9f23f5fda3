/* SPDX-License-Identifier: MIT */
/* Makes IoErrors from libuv's error numbers. */
#include "op/io_error.h"

#include <uv.h>

#include "core/error.h"

int spt_io_error_raise_code(lua_State *L, const char *path, const char *code)
{
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
    return lua_error(L);
}

int spt_io_error_raise(lua_State *L, const char *verb, const char *path, int error,
                       const char *words)
{
    char code[32], room[128];
    uv_err_name_r(error, code, sizeof code);
    uv_strerror_r(error, room, sizeof room);
    spt_error_push(L, "IoError", "cannot %s '%s': %s", verb, path, words ? words : room);
    return spt_io_error_raise_code(L, path, code);
}
