/* SPDX-License-Identifier: MIT */
/* A userdata that a function keeps from one call to the next. To make and to collect one that has
 * a finalizer is a fifth of what the encoding of a small object costs. */
#ifndef SPT_LUA_SPARE_H
#define SPT_LUA_SPARE_H

#include <lua.h>

/* Pushes the userdata that was kept under a key of the registry, and returns it. If there is none,
 * makes one of `size` zeros with the metatable of that name: at first, after a call that an error
 * has interrupted, and in a call inside of another one, by a finalizer. */
void *spt_spare_push(lua_State *L, const void *key, size_t size, const char *meta);

/* Keeps the userdata at `index` for the next call. */
void spt_spare_keep(lua_State *L, int index, const void *key);

#endif
