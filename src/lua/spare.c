/* SPDX-License-Identifier: MIT */
#include "lua/spare.h"

#include <lauxlib.h>
#include <string.h>

void *spt_spare_push(lua_State *L, const void *key, size_t size, const char *meta)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TUSERDATA) {
        lua_pushboolean(L,
                        0); /* a nil would give up the slot, which the next keep would allocate */
        lua_rawsetp(L, LUA_REGISTRYINDEX, key);
        return lua_touserdata(L, -1);
    }
    lua_pop(L, 1);
    void *made = memset(lua_newuserdatauv(L, size, 0), 0, size);
    luaL_setmetatable(L, meta);
    return made;
}

void spt_spare_keep(lua_State *L, int index, const void *key)
{
#ifdef SEPTET_WITHOUT_JSON_BUFFERS
    return;
#endif
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}
