/* SPDX-License-Identifier: MIT */
/* The libraries of a function in a thread. None of them lets it go on when its waiter has left, nor
 * change what belongs to the process. */
#ifndef SPT_OP_THREAD_LIBRARIES_H
#define SPT_OP_THREAD_LIBRARIES_H

#include <lua.h>

/* Opens them in a new state. Raises Lua's errors of memory. */
void spt_thread_libraries_open(lua_State *W);

#endif
