/* SPDX-License-Identifier: MIT */
/* The buffer of a channel: a ring of Lua values. A short ring is in the user values of the channel,
 * a long one in a table, which is the first of them. Knows no tasks. */
#ifndef SPT_OP_CHANNEL_RING_H
#define SPT_OP_CHANNEL_RING_H

#include <lua.h>
#include <stdbool.h>

/* The stack of the functions that send or receive. A sender, if used, lies above the value. */
enum { SPT_CHANNEL_INDEX = 1, SPT_CHANNEL_VALUE };

struct spt_channel_ring {
    lua_Integer capacity; /* LUA_MAXINTEGER for unlimited */
    int count;            /* number of items buffered */
    int head;             /* index of the oldest item, from 0 */
    int size;             /* number of places, which grows up to the capacity */
    bool is_short;        /* its places are user values */
};

/* Sets up a ring. Returns the number of user values that its channel must have. */
int spt_channel_ring_init(struct spt_channel_ring *ring, lua_Integer capacity);

/* Makes room for one more item, if the item may be buffered. Everything that can fail, and
 * finalizers, which may use the channel, run before the first change. */
void spt_channel_ring_reserve(lua_State *L, struct spt_channel_ring *ring);

/* Pops the value on top of L into the ring, which must have room. */
void spt_channel_ring_push(lua_State *L, struct spt_channel_ring *ring);

/* Pushes the oldest item of the ring, which must not be empty, and leaves it there. */
void spt_channel_ring_get(lua_State *L, const struct spt_channel_ring *ring);

/* Removes the oldest item. */
void spt_channel_ring_drop(lua_State *L, struct spt_channel_ring *ring);

/* Removes the oldest item of a full ring, and pops the value on top of L into its place, as the
 * newest. */
void spt_channel_ring_replace(lua_State *L, struct spt_channel_ring *ring);

#endif
