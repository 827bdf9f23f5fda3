/* SPDX-License-Identifier: MIT */
/* join: waits for a task to end and returns its results. The wait only observes: if the waiting
 * task is cancelled, the other is not affected. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/failure_origin.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "op/at_once.h"
#include "op/env.h"
#include "op/openers.h"

struct join_op {
    septet_op op;
    struct spt_task *target; /* kept alive by the handle at index 1 */
    struct spt_watch watch;
};

static void on_end(struct spt_watch *watch, struct spt_task *t)
{
    struct join_op *join = SPT_OF(watch, struct join_op, watch);
    spt_task_observe(t);
    septet_op_done(&join->op, SEPTET_OK);
}

static int join_start(septet_op *op)
{
    struct join_op *join = (struct join_op *)op;
    if (spt_task_ended(join->target))
        septet_op_done(op, SEPTET_OK);
    else {
        join->watch.fire = on_end;
        spt_task_watch(join->target, &join->watch);
    }
    return SEPTET_OK;
}

static void join_cancel(septet_op *op)
{
    spt_link_remove(&((struct join_op *)op)->watch.link);
}

/* Pushes "task 'name' was cancelled", with the whole name. The task's handle is at index 1. */
static void push_message(lua_State *L, const struct spt_task *t)
{
    lua_pushliteral(L, "task '");
    spt_inspect_push_name(L, 1, t);
    lua_pushliteral(L, "' was cancelled");
    lua_concat(L, 3);
    spt_error_escape(L);
}

static void push_task_cancelled(lua_State *L, const struct spt_task *t)
{
    spt_error_push(L, "TaskCancelled", "");
    push_message(L, t);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "task");
    spt_reason_push_of(L, t, 1);
    if (!lua_isnil(L, -1)) { /* its own reason, even if a block of it was cancelled before */
        lua_setfield(L, -2, "reason");
        return;
    }
    lua_pop(L, 1);
    lua_getiuservalue(L, 1, SPT_TASK_UV_VALUE);
    // stack: ..., error, the Cancelled it ended with
    if (spt_error_is(L, -1, "Cancelled")) {
        lua_getfield(L, -1, "reason");
        lua_setfield(L, -3, "reason");
    }
    lua_pop(L, 1);
}

/* Returns the results of the ended task with the handle at index 1, or raises its error. */
static int push_result(lua_State *L, struct spt_task *t)
{
    spt_task_observe(t);
    if (t->state == SPT_TASK_DONE)
        return spt_task_push_results(L, 1, t);
    if (t->state == SPT_TASK_CANCELLED)
        push_task_cancelled(L, t);
    else
        lua_getiuservalue(L, 1, SPT_TASK_UV_VALUE);
    return spt_failure_origin_raise(L, 1, t);
}

static int join_push(septet_op *op, lua_State *L)
{
    return push_result(L, ((struct join_op *)op)->target);
}

static void join_describe(const septet_op *op, char *text, size_t size)
{
    int n = snprintf(text, size, "#%u ", op->ref);
    spt_inspect_name(((const struct join_op *)op)->target, text + n, size - (size_t)n);
}

static void join_blockers(const septet_op *op, void (*visit)(void *ud, void *task), void *ud)
{
    visit(ud, ((const struct join_op *)op)->target);
}

static const septet_op_type join_type = {
    .name = "join",
    .size = sizeof(struct join_op),
    .start = join_start,
    .cancel = join_cancel,
    .push = join_push,
    .describe = join_describe,
    .blockers = join_blockers,
};

/* task:await(): returns the results of the task's function. Raises its error, the same value each
 * time, or TaskCancelled. A checkpoint even if the task has ended. */
static int l_await(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_task *t = spt_check_self(L, "task");
    struct spt_sched *s = spt_env(L)->sched;
    if (t == s->current)
        return spt_error_usage(L, "a task cannot await itself");
    if (spt_task_ended(t) && spt_at_once(L, s))
        return push_result(L, t);
    struct join_op *join = (struct join_op *)spt_op_new(L, s, &join_type);
    join->target = t;
    join->op.ref = t->id;
    if (spt_op_check_cancelled(s))
        return spt_op_await_cancelled(L, &join->op);
    return spt_op_wait(L, &join->op, false);
}

/* outcome(task): like task:await(), but never waits. The task must have ended. */
static int l_outcome(lua_State *L)
{
    struct spt_task *t = spt_check_self(L, "task");
    if (!spt_task_ended(t))
        return spt_error_usage(L, "the task has not ended");
    lua_settop(L, 1);
    return push_result(L, t);
}

static const luaL_Reg functions[] = {{"await", l_await}, {"outcome", l_outcome}, {NULL, NULL}};

void spt_open_join(lua_State *L, struct spt_env *env)
{
    lua_pushlightuserdata(L, env);
    luaL_newmetatable(L, SPT_TASK_META);
    luaL_setfuncs(L, functions, 2);
}
