/* SPDX-License-Identifier: MIT */
/* Replacements for functions of the standard libraries. */
#ifndef SPT_LUA_REPLACE_H
#define SPT_LUA_REPLACE_H

#include <lauxlib.h>
#include <lua.h>

struct spt_env;

/* Replaces functions of a standard library that the state has. Each replacement gets the env as its
 * first upvalue, and as its second the standard function, as `open` creates it. */
void spt_replace_functions(lua_State *L, struct spt_env *env, lua_CFunction open,
                           const char *library, const luaL_Reg *replacements);

#endif
