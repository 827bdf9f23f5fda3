/* SPDX-License-Identifier: MIT */
/* Leaves a single string as it is. */
#include "op/join_arguments.h"

#include <lauxlib.h>
#include <stdio.h>

#include "core/check.h"

static void add(lua_State *L, luaL_Buffer *b, int arg)
{
    if (lua_type(L, arg) == LUA_TNUMBER && !lua_isinteger(L, arg)) {
        char text[64];
        int len = snprintf(text, sizeof text, LUA_NUMBER_FMT, lua_tonumber(L, arg));
        luaL_addlstring(b, text, (size_t)len);
    } else {
        lua_pushvalue(L, arg);
        luaL_addvalue(b);
    }
}

void spt_join_arguments(lua_State *L, int first)
{
    luaL_Buffer b;
    int top = lua_gettop(L);
    if (top == first && lua_type(L, first) == LUA_TSTRING)
        return;
    for (int i = first; i <= top; i++)
        if (lua_type(L, i) != LUA_TNUMBER)
            spt_check_string(L, i, NULL);
    luaL_buffinit(L, &b);
    for (int i = first; i <= top; i++)
        add(L, &b, i);
    luaL_pushresult(&b);
    lua_insert(L, first);
    lua_settop(L, first);
}
