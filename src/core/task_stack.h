/* SPDX-License-Identifier: MIT */
/* The stacks of a task's coroutines, read one frame of a script after the other. */
#ifndef SPT_CORE_TASK_STACK_H
#define SPT_CORE_TASK_STACK_H

#include <lua.h>
#include <stdbool.h>

struct spt_frame;
struct spt_task;

enum { SPT_TASK_STACK_FRAMES = 8 }; /* frames of a task that are read at most */

/* A position in the stacks of a task's coroutines, innermost frame first. */
struct spt_task_stack {
    const struct spt_task *task;
    const struct spt_frame *frame; /* while it runs: that of `co`; NULL at its own coroutine */
    lua_State *co;                 /* NULL: no further one */
    int level;
    unsigned shown;
};

/* Returns the position before the innermost frame of a live task. */
struct spt_task_stack spt_task_stack_of(const struct spt_task *t);

/* Fills `ar` with the next frame that is in a line of a script, as lua_getinfo() does for "nSl".
 * Returns false if there is none. Allocates nothing. */
bool spt_task_stack_next(struct spt_task_stack *stack, lua_Debug *ar);

/* Returns the name of the frame's function; NULL if it is not known. */
const char *spt_task_stack_function(const lua_Debug *ar);

#endif
