/* SPDX-License-Identifier: MIT */
/* The pool of the coroutines of ended tasks, for later ones. */
#ifndef SPT_CORE_COROUTINES_H
#define SPT_CORE_COROUTINES_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/spare.h"

struct spt_coroutines {
    int ref;       /* registry: the table of coroutines; LUA_NOREF before spt_coroutines_open() */
    uint32_t n;    /* upper bound of the coroutines in the pool, since the collector takes some */
    uint32_t room; /* size of the table */
    struct spt_spare spare; /* used before the pool */
};

/* Makes an empty pool. Raises out of memory. */
void spt_coroutines_open(lua_State *L, struct spt_coroutines *pool);
void spt_coroutines_release(lua_State *L, struct spt_coroutines *pool);

/* Drops the pool's coroutines, and takes none until room is made again. Allocates nothing. */
void spt_coroutines_empty(lua_State *L, struct spt_coroutines *pool);

/* Makes room for `n` coroutines. A pool that grows is emptied. Raises out of memory. */
void spt_coroutines_make_room(lua_State *L, struct spt_coroutines *pool, uint32_t n);

/* Pops a coroutine from the pool and pushes it on the stack. Returns false, with nothing pushed, if
 * the pool is empty. */
bool spt_coroutines_take(lua_State *L, struct spt_coroutines *pool);

/* Puts an ended coroutine into the pool, unless the pool is full. Allocates nothing. */
void spt_coroutines_recycle(lua_State *L, struct spt_coroutines *pool, lua_State *co);

#endif
