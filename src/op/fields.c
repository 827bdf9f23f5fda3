/* SPDX-License-Identifier: MIT */
/* Reads fields with the checks of arguments, so that an error has their wording. */
#include "op/fields.h"

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
