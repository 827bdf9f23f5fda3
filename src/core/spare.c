/* SPDX-License-Identifier: MIT */
/* Anchors the spare coroutine at a place of its own in the registry, which exists already when one
 * is put there: nothing here allocates after the opening. */
#include "core/spare.h"

#include <lauxlib.h>

void spt_spare_open(lua_State *L, struct spt_spare *spare)
{
    lua_pushboolean(L, 0);
    spare->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void spt_spare_release(lua_State *L, struct spt_spare *spare)
{
    luaL_unref(L, LUA_REGISTRYINDEX, spare->ref);
}

void spt_spare_empty(lua_State *L, struct spt_spare *spare)
{
    lua_pushboolean(L, 0);
    lua_rawseti(L, LUA_REGISTRYINDEX, spare->ref);
    spare->co = NULL;
    spare->user = NULL;
}

bool spt_spare_take_back(lua_State *L, struct spt_spare *spare, const struct spt_task *user,
                         lua_State *co)
{
    if (spare->user == user) {
        spare->user = NULL;
        spare->co = co;
        return true;
    }
    if (spare->user || spare->co)
        return false;
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_rawseti(L, LUA_REGISTRYINDEX, spare->ref);
    spare->co = co;
    return true;
}
