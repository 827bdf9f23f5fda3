/* SPDX-License-Identifier: MIT */
/* Stack frames as text, in the format of lua5.4's tracebacks, escaped for a terminal. */
#ifndef SPT_CORE_FRAMES_H
#define SPT_CORE_FRAMES_H

#include <lua.h>
#include <stdbool.h>

/* Pushes the frames of `co` from `level` on as a string, one line each, every line preceded by
 * "\n\t". Frames of Septet's own modules are left out, unless the host shows them. */
void spt_frames_push(lua_State *L, lua_State *co, int level);

/* Replaces the handle of a bare task, on top of the stack, by the frames that the task's coroutine
 * would have. */
void spt_frames_push_bare(lua_State *L);

/* Returns true if L runs a function of Septet's modules, or a C function that such a function
 * called. An error that a hook raises there would leave a scope open that the rest of the function
 * closes. */
bool spt_frames_own(lua_State *L);

/* Returns true for a frame of L that stock Lua does not have. These are the bottom of a coroutine
 * made by `coroutine.wrap`, below the script's function, and its message handler. Needs one free
 * slot of the stack. */
bool spt_frames_hidden(lua_State *L, lua_Debug *ar);

/* Returns true if `n` functions are on the stack, and not if `n` is 0. */
bool spt_frames_count_is(lua_State *L, int n);

/* Returns the number of the last level of `co`; also 0 if it has none. */
int spt_frames_last(lua_State *co);

#endif
