/* SPDX-License-Identifier: MIT */
/* Grows the ring to twice its size when it is full, by moving its values to a new table. */
#include "op/channel_ring.h"

#include <lauxlib.h>
#include <limits.h>

void spt_channel_ring_reserve(lua_State *L, struct spt_channel_ring *ring)
{
    while (ring->count == ring->size && ring->size < ring->capacity) {
        if (ring->size > INT_MAX / 2)
            luaL_error(L, "too many items in a channel");
        int size = ring->size ? ring->size * 2 : 4;
        lua_createtable(L, size, 0);
        lua_getiuservalue(L, SPT_CHANNEL_INDEX, 1); // stack: ..., new ring, old ring
        if (size > ring->size) {
            for (int i = 0; i < ring->count; i++) {
                lua_rawgeti(L, -1, (ring->head + i) % ring->size + 1);
                lua_rawseti(L, -3, i + 1);
            }
            lua_pushvalue(L, -2);
            lua_setiuservalue(L, SPT_CHANNEL_INDEX, 1);
            ring->head = 0;
            ring->size = size;
        }
        lua_pop(L, 2);
    }
}

void spt_channel_ring_push(lua_State *L, struct spt_channel_ring *ring)
{
    lua_getiuservalue(L, SPT_CHANNEL_INDEX, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (ring->head + ring->count++) % ring->size + 1);
    lua_pop(L, 1);
}

void spt_channel_ring_pop(lua_State *L, struct spt_channel_ring *ring)
{
    lua_getiuservalue(L, SPT_CHANNEL_INDEX, 1);
    lua_rawgeti(L, -1, ring->head + 1);
    lua_pushnil(L);
    lua_rawseti(L, -3, ring->head + 1);
    lua_remove(L, -2);
    ring->head = (ring->head + 1) % ring->size;
    ring->count--;
}
