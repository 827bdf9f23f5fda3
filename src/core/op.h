/* SPDX-License-Identifier: MIT */
/* The internal side of septet/op.h, for Septet's own operations and the scheduler. */
#ifndef SPT_CORE_OP_H
#define SPT_CORE_OP_H

#include <stdbool.h>

#include "core/wait_mark.h"
#include "septet/op.h"

struct spt_sched;
struct spt_scope;
struct spt_task;

enum spt_op_state {
    SPT_OP_IDLE,      /* new */
    SPT_OP_STARTING,  /* inside start */
    SPT_OP_ARMED,     /* started; the source holds it */
    SPT_OP_DONE,      /* completed, its results not yet pushed */
    SPT_OP_CANCELLED, /* disarmed and closed: its await raises Cancelled */
    SPT_OP_CLOSED,
};

/* A type of ours with results that need more work. `then` is called with the `n` results on top of
 * the stack, after the operation was closed, as the end of the function that awaited it: it may
 * wait, and returns the number of its own results. The arguments of the call lie at 1, 2, ... */
struct spt_op_type {
    septet_op_type type; /* with SPT_OP_ABI_THEN */
    int (*then)(lua_State *L, int n);
};

#define SPT_OP_ABI_THEN (-1) /* no type of an embedder has it */

/* A flag of a type of ours: the next task usually completes it, so its turn may run in place. */
#define SPT_OP_BY_TASKS (1u << 31)

/* Prepares the state of `L` for operations; once per state. */
void spt_op_open(lua_State *L);

/* Like septet_op_new(), but takes the scheduler. */
septet_op *spt_op_new(lua_State *L, struct spt_sched *s, const septet_op_type *type);

/* The steps of septet_op_await(), for operations that act before they wait: a refused wait must
 * have no effect. The first cancels the running task's scopes with a passed deadline, then
 * returns true if the task's next wait is refused, because its scope is cancelled or the host shuts
 * down. The caller then calls spt_op_await_cancelled(), which raises. Otherwise it calls
 * spt_op_wait(), and runs no Lua in between. Both need eight free slots of the stack. If
 * `shielded`, no later cancellation reaches the wait, as in the join of a closing scope. */
bool spt_op_check_cancelled(struct spt_sched *s);
int spt_op_await_cancelled(lua_State *L, septet_op *op);
int spt_op_wait(lua_State *L, septet_op *op, bool shielded);

/* Ends a function by the operation `op`, which is over: returns its results, or raises. What an
 * await continues with. */
int spt_op_resumed(lua_State *L, int status, lua_KContext op);

/* Pushes the error of a cancelled wait of the task, to be raised. Raises out of memory. */
void spt_op_push_cancelled(lua_State *L, struct spt_task *t);

/* Raises Usage if the running code cannot be suspended, naming the function that prevents it. */
void spt_op_check(lua_State *L, struct spt_sched *s);

/* Returns true if the running code can be suspended. */
bool spt_op_can_wait(lua_State *L, const struct spt_sched *s);

/* Ends the wait of the scope's task: cancels and closes its operation, and makes the task ready. A
 * no-op if the scope is not its innermost, or if the task does not wait in an operation, or is
 * shielded. Installed as the tree's on_cancel_pending. */
void spt_op_cancel_wait(struct spt_scope *scope);

/* Cancels and closes a wait that may not be resumed any more, because the Lua state is being
 * closed. */
void spt_op_lose(septet_op *op);

/* Returns the scheduler of an operation; valid once it is made. */
struct spt_sched *spt_op_sched(const septet_op *op);

static inline bool spt_op_is_waiting(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 &&
           lua_touserdata(co, -1) == (void *)&spt_wait_mark;
}

/* Moves the value on top of L to the stack of a coroutine that waits, below the mark. The `push` of
 * its operation finds the value on top. */
static inline void spt_op_hand_over(lua_State *L, lua_State *co)
{
    lua_xmove(L, co, 1);
    lua_insert(co, -2);
}

#endif
