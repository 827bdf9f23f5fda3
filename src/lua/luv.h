/* SPDX-License-Identifier: MIT */
/* The door to the rest of libuv: `require "luv"` gets the host's loop. It does not know what
 * scripts do with it. */
#ifndef SPT_LUA_LUV_H
#define SPT_LUA_LUV_H

#include <lua.h>

struct spt_env;

/* Makes `require "luv"` share the host's loop. Raises out of memory. */
void spt_open_luv(lua_State *L, struct spt_env *env);

#endif
