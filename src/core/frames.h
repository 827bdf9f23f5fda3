/* The frames of a stack, in the words of lua5.4's tracebacks, escaped for a terminal. */
#ifndef SPT_CORE_FRAMES_H
#define SPT_CORE_FRAMES_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the frames of `co` from `level` on, a line each, "\n\t" first. Frames of our own are left out, unless the host
 * shows them. */
void spt_frames_push(lua_State *L, lua_State *co, int level);

/* Returns true if L runs a function of our modules, or one in C that such a function called. What a hook raises there
 * would leave a scope open that only the rest of the function closes. */
bool spt_frames_own(lua_State *L);

/* Returns the number of the last level of `co`; 0, too, if it has none. */
int spt_frames_last(lua_State *co);

#endif
