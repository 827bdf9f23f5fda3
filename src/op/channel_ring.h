/* SPDX-License-Identifier: MIT */
/* The buffer of a channel: a ring of Lua values, in a table that is the channel's user value. Knows
 * no tasks. */
#ifndef SPT_OP_CHANNEL_RING_H
#define SPT_OP_CHANNEL_RING_H

#include <lua.h>

/* The stack of the functions that send or receive. A sender, if used, lies above the value. */
enum { SPT_CHANNEL_INDEX = 1, SPT_CHANNEL_VALUE };

struct spt_channel_ring {
    lua_Integer capacity; /* LUA_MAXINTEGER for unlimited */
    lua_Integer count;    /* number of items buffered */
    int head;             /* index of the oldest item, from 0 */
    int size;             /* of the table, which grows up to the capacity */
};

/* Makes room for one more item, if the item may be buffered. Everything that can fail, and
 * finalizers, which may use the channel, run before the first change. */
void spt_channel_ring_reserve(lua_State *L, struct spt_channel_ring *ring);

/* Pops the value on top of L into the ring, which must have room. */
void spt_channel_ring_push(lua_State *L, struct spt_channel_ring *ring);

/* Pushes the oldest item of the ring, which must not be empty. */
void spt_channel_ring_pop(lua_State *L, struct spt_channel_ring *ring);

#endif
