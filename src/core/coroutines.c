/* SPDX-License-Identifier: MIT */
/* Keeps the pool in a weak table, which the next collection empties. */
#include "core/coroutines.h"

#include <lauxlib.h>
#include <limits.h>

#define ROOM_MIN 256

void spt_coroutines_open(lua_State *L, struct spt_coroutines *pool)
{
    lua_pushboolean(L, 0);
    pool->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    spt_spare_open(L, &pool->spare);
    spt_coroutines_make_room(L, pool, ROOM_MIN);
}

void spt_coroutines_release(lua_State *L, struct spt_coroutines *pool)
{
    luaL_unref(L, LUA_REGISTRYINDEX, pool->ref);
    spt_spare_release(L, &pool->spare);
}

void spt_coroutines_empty(lua_State *L, struct spt_coroutines *pool)
{
    lua_pushboolean(L, 0);
    lua_rawseti(L, LUA_REGISTRYINDEX, pool->ref);
    pool->n = pool->room = 0;
    spt_spare_empty(L, &pool->spare);
}

void spt_coroutines_make_room(lua_State *L, struct spt_coroutines *pool, uint32_t n)
{
    uint32_t room = pool->room ? pool->room : ROOM_MIN;
    if (pool->room >= n && pool->room > 0)
        return;
    while (room < n && room < INT_MAX / 2)
        room *= 2;
    lua_createtable(L, (int)room, 0); /* full size, so that filling it cannot fail */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, pool->ref);
    pool->room = room;
}

/* Pops a pooled coroutine. A missing entry means that a collection has emptied the weak table. */
bool spt_coroutines_take(lua_State *L, struct spt_coroutines *pool)
{
    if (pool->n == 0)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, pool->ref);
    if (lua_rawgeti(L, -1, pool->n) != LUA_TTHREAD) {
        lua_pop(L, 2);
        pool->n = 0;
        return false;
    }
    lua_pushnil(L);
    lua_rawseti(L, -3, pool->n--);
    lua_remove(L, -2);
    return true;
}

void spt_coroutines_recycle(lua_State *L, struct spt_coroutines *pool, lua_State *co)
{
#ifdef SEPTET_WITHOUT_COROUTINE_POOL
    return;
#endif
    if (pool->n == pool->room)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, pool->ref);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_rawseti(L, -2, ++pool->n); /* the table was made with this room: allocates nothing */
    lua_pop(L, 1);
}
