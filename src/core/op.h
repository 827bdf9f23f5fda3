/* The inside of septet/op.h: what our own operations and the scheduler use of it. */
#ifndef SPT_CORE_OP_H
#define SPT_CORE_OP_H

#include <stdbool.h>

#include "septet/op.h"

struct spt_sched;
struct spt_task;

enum spt_op_state {
    SPT_OP_IDLE,      /* new */
    SPT_OP_STARTING,  /* inside start */
    SPT_OP_ARMED,     /* the source has it */
    SPT_OP_DONE,      /* completed, not yet pushed */
    SPT_OP_CANCELLED, /* disarmed and closed: its await raises */
    SPT_OP_CLOSED,
};

/* Makes what operations need in the state of `L`; once. */
void spt_op_open(lua_State *L);

/* As septet_op_new, for who knows the scheduler already. */
septet_op *spt_op_new(lua_State *L, struct spt_sched *s, const septet_op_type *type);

/* The steps of septet_op_await, for operations that act before they wait: what is refused must have
 * had no effect. Is the running task's next wait refused, because its scope is cancelled or the
 * host ends? Then its end is spt_op_await_cancelled, which raises; else spt_op_wait, with nothing
 * between that may run Lua. Both want eight free places on the stack. With `shielded`, no later
 * cancellation reaches it: the join of a closing scope. */
bool spt_op_is_cancelled(struct spt_sched *s);
int spt_op_await_cancelled(lua_State *L, septet_op *op);
int spt_op_wait(lua_State *L, septet_op *op, bool shielded);

/* Raises Usage, naming what is in the way, where the running code could not be suspended. */
void spt_op_check(lua_State *L, struct spt_sched *s);

/* Returns true if the running code could be suspended. */
bool spt_op_can_wait(lua_State *L, const struct spt_sched *s);

/* Leaves the running task, which can wait, for good: its variables are closed, and it ends. Does
 * not return. */
int spt_op_abandon(lua_State *L, struct spt_sched *s);

/* A checkpoint without an operation: yields once to whoever is ready, or raises Cancelled. */
int spt_op_checkpoint(lua_State *L, struct spt_sched *s);

/* Disarms and closes an armed operation. For spt_task_abort alone. */
void spt_op_abort(septet_op *op);

/* The scheduler an operation belongs to; valid from its start on. */
struct spt_sched *spt_op_sched(const septet_op *op);

/* What lies on top of the stack of every coroutine suspended by an await, so that nobody else
 * resumes or closes it: a light userdata of this address. */
extern const char spt_wait_mark;

static inline bool spt_is_waiting(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 &&
           lua_touserdata(co, -1) == (void *)&spt_wait_mark;
}

#endif
