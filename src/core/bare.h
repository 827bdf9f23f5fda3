/* SPDX-License-Identifier: MIT */
/* Tasks without a coroutine. The function of a bare task is one of Septet's own that does nothing
 * but wait for one operation, as that of task.spawn(task.sleep, 1). Its first turn calls the
 * function on the main state, where the wait returns instead of suspending. The operation is in the
 * task's slot, and the last turn ends the task by it. This saves 1.2 KB of the 2 KB that a sleeping
 * task takes. */
#ifndef SPT_CORE_BARE_H
#define SPT_CORE_BARE_H

#include <lua.h>
#include <stdbool.h>

struct spt_sched;
struct spt_task;

/* Lets tasks run a function without a coroutine. The function must only check its arguments, and
 * then await one operation that fits into the slot, pushes nothing, and has no `close`. */
void spt_bare_allow(struct spt_sched *s, lua_CFunction function);

/* Returns true if the function at `index` is one of those. */
bool spt_bare_is(lua_State *L, const struct spt_sched *s, int index);

/* Runs the first turn of a bare task, which is the running one. Returns false if it needs a
 * coroutine, because its function raised an error; the task is then no longer bare. */
bool spt_bare_begin(struct spt_task *t);

/* Runs the turn in which the wait of a bare task is over. Sets its result and its outcome. */
void spt_bare_end(struct spt_task *t);

#endif
