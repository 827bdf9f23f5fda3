/* SPDX-License-Identifier: MIT */
/* Names what keeps a coroutine from being suspended, for messages. */
#ifndef SPT_CORE_BLOCKER_H
#define SPT_CORE_BLOCKER_H

#include <lua.h>

/* Pushes the name of what keeps the coroutine `co` from being suspended. It is the nearest C
 * function above the one that waits, or above the one that resumes a coroutine of Septet's. */
void spt_blocker_push(lua_State *L, lua_State *co);

#endif
