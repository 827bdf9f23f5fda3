/* The frames of a stack, in the words of lua5.4's tracebacks, escaped for a terminal. */
#ifndef SPT_CORE_FRAMES_H
#define SPT_CORE_FRAMES_H

#include <lua.h>

/* Pushes the frames of `co` from `level` on, a line each, "\n\t" first. Frames of our own are left out, unless the host
 * shows them. */
void spt_frames_push(lua_State *L, lua_State *co, int level);

#endif
