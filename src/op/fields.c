/* SPDX-License-Identifier: MIT */
/* Reads fields with the checks of arguments, so that an error has their wording. */
#include "op/fields.h"

#include <lauxlib.h>

#include "base/time.h"
#include "core/check.h"
#include "core/timer.h"

const char *spt_fields_text(lua_State *L, const char *name)
{
    const char *text = NULL;
    if (lua_getfield(L, 1, name) != LUA_TNIL)
        text = spt_check_string(L, -1, NULL);
    lua_pop(L, 1);
    return text;
}

bool spt_fields_flag(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

lua_Integer spt_fields_count(lua_State *L, const char *name, lua_Integer least)
{
    lua_getfield(L, 1, name);
    lua_Integer n = spt_check_count(L, lua_gettop(L), least);
    lua_pop(L, 1);
    return n;
}

uint64_t spt_fields_seconds(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    uint64_t ns = spt_check_opt_seconds(L, lua_gettop(L), SPT_NEVER);
    lua_pop(L, 1);
    return ns;
}

void spt_fields_set_count(lua_State *L, const char *name, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, name);
}

void spt_fields_set_flag(lua_State *L, const char *name, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, name);
}

void spt_fields_set_seconds(lua_State *L, const char *name, int64_t ns)
{
    if (ns < 0)
        return;
    lua_pushnumber(L, spt_time_seconds((uint64_t)ns));
    lua_setfield(L, -2, name);
}

const char *const *spt_fields_strings(lua_State *L, int arg, size_t *n)
{
    *n = 0;
    if (lua_isnoneornil(L, arg))
        return NULL;
    luaL_checktype(L, arg, LUA_TTABLE);
    *n = lua_rawlen(L, arg);
    const char **strings = lua_newuserdatauv(L, *n * sizeof *strings + 1, 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        strings[i] = spt_check_string(L, -1, NULL);
        lua_pop(L, 1); /* the table keeps it alive */
    }
    return strings;
}
