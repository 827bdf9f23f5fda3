/* SPDX-License-Identifier: MIT */
/* The arguments of the methods that write. */
#ifndef SPT_OP_JOIN_ARGUMENTS_H
#define SPT_OP_JOIN_ARGUMENTS_H

#include <lua.h>

/* Replaces the arguments from index `first` on, strings and numbers, by the string that Lua's
 * file:write would write. Raises Usage for others. */
void spt_join_arguments(lua_State *L, int first);

#endif
