/* SPDX-License-Identifier: MIT */
/* Tasks without a coroutine. The function of a bare task is one of Septet's own that does nothing
 * but wait for one operation, as that of task.spawn(task.sleep, 1). Its first turn calls the
 * function on the main state, where the wait returns instead of suspending. The operation is in the
 * task's slot, and the last turn ends the task by it. This saves 1.2 KB of the 2 KB that a sleeping
 * task takes.
 *
 * If the operation has a `close`, its results, its errors and what follows them are those of a
 * function that runs: the task gets a coroutine for the last turn, which calls the function once
 * more. It finds the operation by spt_bare_done(). */
#ifndef SPT_CORE_BARE_H
#define SPT_CORE_BARE_H

#include <lua.h>
#include <stdbool.h>

#include "septet/op.h"

struct spt_sched;
struct spt_task;

enum spt_bare_kind {
    SPT_BARE_NONE,
    SPT_BARE_WAIT, /* takes one argument, and its operation pushes nothing and has no `close` */
    SPT_BARE_CALL, /* its operation has a `close`, and it begins with spt_bare_done() */
};

/* Lets tasks run a function without a coroutine. The function must only check its arguments, and
 * then await one operation that fits into the slot. It may be allowed again. */
void spt_bare_allow(struct spt_sched *s, enum spt_bare_kind kind, lua_CFunction function);

/* Returns the kind of the function at `index`. */
enum spt_bare_kind spt_bare_kind_of(lua_State *L, const struct spt_sched *s, int index);

/* Returns the operation of the running task if its function was called before, without a coroutine,
 * and its wait is over: the function ends by spt_op_resumed(). Returns NULL otherwise. */
septet_op *spt_bare_done(const struct spt_sched *s);

/* Returns true if the running function is that of a bare task, in its first turn. */
bool spt_bare_begins(lua_State *L, const struct spt_sched *s);

/* Pops `n` values. If the running task is bare, and in its first turn, it keeps them alive in place
 * of its arguments: with them the function will be called once more. `n` is at most 2. */
void spt_bare_keep(lua_State *L, const struct spt_sched *s, int n);

/* Runs the first turn of a bare task, which is the running one. Returns false if it needs a
 * coroutine, because its function raised an error; the task is then no longer bare. */
bool spt_bare_begin(struct spt_task *t);

/* Runs the turn in which the wait of a bare task is over, if its operation has no `close`. Sets its
 * result and its outcome. */
void spt_bare_end(struct spt_task *t);

#endif
