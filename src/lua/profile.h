/* SPDX-License-Identifier: MIT */
/* The standard profile: what the standard libraries offer in a state that septet_new makes, unless
 * the embedder wants the trusted profile. Also makes the globals of scripts that have their own. */
#ifndef SPT_LUA_PROFILE_H
#define SPT_LUA_PROFILE_H

#include <lua.h>

struct spt_env;

/* Keeps the functions that load chunks, if scripts are trusted and the state is the host's, for the
 * globals of further scripts. */
void spt_profile_keep_loaders(lua_State *L, struct spt_env *env);

/* Gives the state the standard profile. To be called once Septet's modules have their copies of the
 * libraries. Raises out of memory. */
void spt_profile_apply(lua_State *L, struct spt_env *env);

/* Pushes the table of globals of a new script. With the standard profile, it has libraries of its
 * own. With the trusted one, or in the embedder's state, the host's globals are behind it. Raises
 * out of memory. */
void spt_profile_push_globals(lua_State *L, struct spt_env *env);

#endif
