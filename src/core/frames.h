/* The frames of a stack, in the words of lua5.4's tracebacks, escaped for a terminal. */
#ifndef SPT_CORE_FRAMES_H
#define SPT_CORE_FRAMES_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the frames of `co` from `level` on, a line each, "\n\t" first. Frames of our own are left
 * out, unless the host shows them. */
void spt_frames_push(lua_State *L, lua_State *co, int level);

/* Returns true if L runs a function of our modules, or one in C that such a function called. What a
 * hook raises there would leave a scope open that only the rest of the function closes. */
bool spt_frames_own(lua_State *L);

/* Returns true for a frame of L that stock Lua has not: the bottom of a coroutine that
 * `coroutine.wrap` made, below the script's function, and its message handler. Takes a free place
 * on the stack. */
bool spt_frames_hidden(lua_State *L, lua_Debug *ar);

/* Returns the number of the last level of `co`; 0, too, if it has none. */
int spt_frames_last(lua_State *co);

#endif
