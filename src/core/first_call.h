/* SPDX-License-Identifier: MIT */
/* The call that a task begins with: its function and arguments. Until its first turn, a task has no
 * coroutine. Its handle holds the call in user values that have other uses later:
 *
 *                VALUE         TRACEBACK   SCOPE            CLOSERS          the others
 *   spawned      function      argument    argument         argument         as they are set
 *   first turn   coroutine     nil         innermost block  closers          as they are set
 *     on the spare coroutine   nil, until the task waits
 *   ended        result/error  traceback   nil              origin           as they are set
 *
 * A call with more arguments than that goes to a coroutine at once. */
#ifndef SPT_CORE_FIRST_CALL_H
#define SPT_CORE_FIRST_CALL_H

#include <lua.h>
#include <stdbool.h>

struct spt_task;

/* Returns true if a handle can hold a call with so many arguments. */
bool spt_first_call_fits(int nargs);

/* Returns the index of the user value that holds an argument, counted from 1. */
int spt_first_call_place(int argument);

/* Pops the function and its arguments from the top of the stack into the handle below them. */
void spt_first_call_keep(lua_State *L, int nargs);

/* Pops the coroutine on top of the stack and gives it to the task with the handle below it. Makes
 * room for its function and arguments. */
void spt_first_call_give_coroutine(lua_State *L, struct spt_task *t, int nargs);

/* Moves the call from the handle of `t` to the coroutine on top of the stack, which becomes the
 * task's and is popped. Allocates nothing. */
void spt_first_call_move(lua_State *L, struct spt_task *t);

/* Pushes the arguments held for a task, given the index of its handle. */
void spt_first_call_push_arguments(lua_State *L, int handle, const struct spt_task *t);

/* Moves the call from the handle of `t` to the coroutine `co`, which becomes the task's. The handle
 * does not anchor it. Allocates nothing. */
void spt_first_call_lend_coroutine(lua_State *L, struct spt_task *t, lua_State *co);

/* Anchors the coroutine that was lent to `t` in its handle, because `t` begins to wait. Allocates
 * nothing. */
void spt_first_call_keep_coroutine(struct spt_task *t);

/* Drops the arguments held for the task with the handle on top of the stack. */
void spt_first_call_drop(lua_State *L, const struct spt_task *t);

#endif
