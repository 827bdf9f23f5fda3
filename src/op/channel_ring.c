/* SPDX-License-Identifier: MIT */
/* Grows a long ring to twice its size when it is full, by moving its values to a new table. A short
 * one has all its places from the beginning. A value passes through a user value in 40
 * instructions, and through a table in 150. */
#include "op/channel_ring.h"

#include <lauxlib.h>
#include <limits.h>

#define SHORT_MAX 4 /* items; a user value takes 16 bytes whether or not there is an item */

int spt_channel_ring_init(struct spt_channel_ring *ring, lua_Integer capacity)
{
    *ring = (struct spt_channel_ring){.capacity = capacity, .is_short = capacity <= SHORT_MAX};
    if (!ring->is_short)
        return 1;
    ring->size = (int)capacity;
    return ring->size;
}

void spt_channel_ring_reserve(lua_State *L, struct spt_channel_ring *ring)
{
    while (ring->count == ring->size && ring->size < ring->capacity) {
        if (ring->size > INT_MAX / 2)
            luaL_error(L, "too many items in a channel");
        int size = ring->size ? ring->size * 2 : SHORT_MAX;
        if (size > ring->capacity)
            size = (int)ring->capacity;
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

/* Pops the value on top of L into a place. */
static void set(lua_State *L, const struct spt_channel_ring *ring, int place)
{
    if (ring->is_short) {
        lua_setiuservalue(L, SPT_CHANNEL_INDEX, place + 1);
        return;
    }
    lua_getiuservalue(L, SPT_CHANNEL_INDEX, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, place + 1);
    lua_pop(L, 1);
}

static int after(const struct spt_channel_ring *ring, int n)
{
    int place = ring->head + n;
    return place < ring->size ? place : place - ring->size;
}

void spt_channel_ring_push(lua_State *L, struct spt_channel_ring *ring)
{
    set(L, ring, after(ring, ring->count));
    ring->count++;
}

void spt_channel_ring_get(lua_State *L, const struct spt_channel_ring *ring)
{
    if (ring->is_short) {
        lua_getiuservalue(L, SPT_CHANNEL_INDEX, ring->head + 1);
        return;
    }
    lua_getiuservalue(L, SPT_CHANNEL_INDEX, 1);
    lua_rawgeti(L, -1, ring->head + 1);
    lua_remove(L, -2);
}

void spt_channel_ring_drop(lua_State *L, struct spt_channel_ring *ring)
{
    lua_pushnil(L);
    set(L, ring, ring->head);
    ring->head = after(ring, 1);
    ring->count--;
}

void spt_channel_ring_replace(lua_State *L, struct spt_channel_ring *ring)
{
    set(L, ring, ring->head);
    ring->head = after(ring, 1);
}
