/* SPDX-License-Identifier: MIT */
/* Anchors Lua objects while C holds pointers into them. Finalizers are no substitute: Lua does not
 * complete them if memory or the C stack is exhausted. */
#ifndef SPT_CORE_ANCHOR_H
#define SPT_CORE_ANCHOR_H

#include <lua.h>
#include <stdint.h>

/* Makes the table of objects anchored by address; once per state. */
void spt_anchor_open(lua_State *L);

/* Makes a table with weak keys in the registry, at the address `key`. */
void spt_anchor_new_weak_table(lua_State *L, const void *key);

/* Anchors the userdata at `index`. Anchoring it again is a no-op. Raises out of memory. */
void spt_anchor_keep(lua_State *L, int index);

/* Unanchors the userdata with its block at `block`. Allocates nothing. A userdata that is not
 * anchored is a no-op. */
void spt_anchor_release(lua_State *L, const void *block);

/* Anchored objects of one kind, straight in the registry: a place there that was taken once is used
 * again and again. A table of their own would take 200 of the 5 850 instructions of spawning and
 * awaiting a task. */
struct spt_anchors {
    int meta;       /* registry: the metatable of the objects, set by the owner */
    uint32_t *free; /* owned; stack of the free indices, with room for all */
    uint32_t nfree, n, room;
    uint32_t last; /* the highest index; there are others of the registry below it */
};

/* Returns all indices, those of anchored objects excepted, to the registry. */
void spt_anchor_close(lua_State *L, struct spt_anchors *anchors);

/* Anchors the object on top of the stack. Returns its index, never 0. Raises out of memory. */
uint32_t spt_anchor_add(lua_State *L, struct spt_anchors *anchors);

/* Pushes the object at an index. */
void spt_anchor_push(lua_State *L, uint32_t index);

/* Returns the block of the object at any index of the registry; NULL if none of the kind is there.
 * Allocates nothing. */
void *spt_anchor_find(lua_State *L, const struct spt_anchors *anchors, uint32_t index);

/* Unanchors the object at an index. Allocates nothing. */
void spt_anchor_remove(lua_State *L, struct spt_anchors *anchors, uint32_t index);

#endif
