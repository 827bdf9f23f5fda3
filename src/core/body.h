/* SPDX-License-Identifier: MIT */
/* The body of a task: the function at the bottom of its coroutine, around the script's. */
#ifndef SPT_CORE_BODY_H
#define SPT_CORE_BODY_H

#include <lua.h>
#include <stdbool.h>

struct spt_scope;
struct spt_task;

/* Runs in a task's coroutine, with the task as a light userdata, its function and the arguments. */
int spt_body_run(lua_State *L);

/* The registry key of the function that ends blocks which were left open: unwind(outer, left,
 * error, coroutine). It ends the blocks inside the scope `outer`, innermost first, and returns the
 * resulting error. `left` is true if their body has ended, false if the error killed a coroutine
 * that opened them. */
extern const char spt_body_unwind;

/* Pushes that function and its four arguments; the error is on top of the stack. `dead` is the
 * coroutine that the error killed, NULL if a body has ended. Returns false, with nothing pushed, if
 * the task has no scope open inside `outer`. */
bool spt_body_push_unwind(lua_State *L, const struct spt_task *t, struct spt_scope *outer,
                          lua_State *dead);

#endif
