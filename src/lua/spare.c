/* SPDX-License-Identifier: MIT */
#include "lua/spare.h"

#include <lauxlib.h>

void *spt_spare_take(lua_State *L, const void *key)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return NULL;
    }
    lua_pushboolean(L, 0); /* a nil would give up the slot, which the next keep would allocate */
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    return lua_touserdata(L, -1);
}

void spt_spare_keep(lua_State *L, int index, const void *key)
{
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}
