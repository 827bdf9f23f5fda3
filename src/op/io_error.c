/* SPDX-License-Identifier: MIT */
/* Makes IoErrors from libuv's error numbers. */
#include "op/io_error.h"

#include <uv.h>

#include "core/error.h"

static void set(lua_State *L, const char *field, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

int spt_io_error_raise_at(lua_State *L, const struct spt_io_place *place, const char *code)
{
    set(L, "code", code);
    set(L, "operation", place->operation);
    set(L, place->field, place->name);
    return lua_error(L);
}

int spt_io_error_raise_number(lua_State *L, const struct spt_io_place *place, int error,
                              const char *words)
{
    char code[32], room[128];
    uv_err_name_r(error, code, sizeof code);
    uv_strerror_r(error, room, sizeof room);
    spt_error_push(L, "IoError", "cannot %s '%s': %s", place->operation, place->name,
                   words ? words : room);
    return spt_io_error_raise_at(L, place, code);
}

int spt_io_error_raise_code(lua_State *L, const char *path, const char *code)
{
    set(L, "code", code);
    set(L, "path", path);
    return lua_error(L);
}

int spt_io_error_raise(lua_State *L, const char *verb, const char *path, int error,
                       const char *words)
{
    const struct spt_io_place place = {.operation = verb, .name = path, .field = "path"};
    return spt_io_error_raise_number(L, &place, error, words);
}
