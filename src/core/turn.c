/* SPDX-License-Identifier: MIT */
/* Gives a task its coroutine at its first turn, resumes it, and handles what it left by: a wait, a
 * yield or its end. */
#include "core/turn.h"

#include <lauxlib.h>

#include "core/bare.h"
#include "core/finish.h"
#include "core/first_call.h"
#include "core/hook.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/turns.h"
#include "core/wait_mark.h"

/* Makes the value on top of the task's coroutine its error, and its outcome a failure. For an error
 * that no body caught, such as out of memory while the results are kept, and for an abandoned
 * task. */
static void fail_with_top(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    spt_task_push(s->main, t);
    lua_xmove(t->co, s->main, 1);
    lua_setiuservalue(s->main, -2, SPT_TASK_UV_VALUE);
    lua_pop(s->main, 1);
    t->body.outcome = SPT_TASK_FAILED;
}

/* Handles a yield by foreign C code instead of an await: drops the values and makes the task
 * ready. */
static void foreign_yield(struct spt_task *t, int nvalues)
{
    lua_pop(t->co, nvalues);
    lua_checkstack(t->co, 1);
    lua_pushlightuserdata(t->co, (void *)&spt_wait_mark);
    t->sched->hooks.warn(t->sched->hooks.ud,
                         "a C function yielded a task's own coroutine: only an await suspends it");
    spt_task_yielding(t);
}

/* Ends an abandoned task, although it has yielded. Its closing variables run here, where nothing
 * can wait, and their errors are dropped. */
static void abandon(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_pop(t->co, 1); /* the wait mark */
    t->wait.op = NULL;
    spt_link_remove(&t->link); /* it yielded, so it is ready */
    s->current = t;
    lua_resetthread(t->co);
    s->current = NULL;
    lua_settop(t->co, 0);
    lua_pushnil(t->co); /* in the slot of the wait mark; a message would allocate */
    fail_with_top(t);
    if (s->run.exiting)
        t->body.outcome = SPT_TASK_CANCELLED;
    t->co = NULL;
    spt_finish_task(t);
}

/* Keeps the coroutine of an ended task for a later one, unless a script may hold it or a hook
 * watches it. */
static void recycle(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_Hook hook = lua_gethook(t->co);
    /* a slice over its limit, in which the host lowered the count, may have hidden a script's */
    bool plain = !hook || (hook == s->debug_hook.count_hook && lua_gethookcount(t->co) > 1);
    if (!t->body.coroutine_seen && plain && !spt_spare_take_back(s->main, &s->pool.spare, t, t->co))
        spt_coroutines_recycle(s->main, &s->pool, t->co);
}

static void leave(struct spt_task *t, int status, int nvalues)
{
    struct spt_sched *s = t->sched;
    if (status == LUA_YIELD && s->pool.spare.user == t)
        spt_first_call_keep_coroutine(t);
    if (status != LUA_YIELD) {
        if (t->wait.op) /* of a bare task: its function failed before it took the result */
            spt_op_lose(t->wait.op);
        if (status == LUA_OK)
            recycle(t);
        else
            fail_with_top(t);
        if (s->pool.spare.user == t)
            spt_spare_empty(s->main, &s->pool.spare);
        t->co = NULL;
        spt_finish_task(t);
    } else if (t->body.abandoned) {
        abandon(t);
    } else if (t->state == SPT_TASK_RUNNING) {
        foreign_yield(t, nvalues);
    }
}

/* Pushes a new coroutine; a function for lua_pcall. Its argument is the scheduler, as a light
 * userdata. */
static int new_coroutine(lua_State *L)
{
    struct spt_sched *s = lua_touserdata(L, 1);
    spt_coroutines_make_room(L, &s->pool, s->counts.live);
    lua_newthread(L);
    return 1;
}

/* Ends a task that gets no coroutine, with the error on top of the stack. */
static void fail_unstarted(lua_State *L, struct spt_task *t)
{
    if (t->wait.op) /* of a bare task */
        spt_op_lose(t->wait.op);
    t->wait.op = NULL;
    spt_task_push(L, t);
    spt_first_call_drop(L, t);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_pop(L, 1);
    t->body.outcome = SPT_TASK_FAILED;
    spt_finish_task(t);
}

/* Gives a task its coroutine at its first turn, so that tasks that never wait share one. Returns
 * false, with the task ended, if memory runs out. */
static bool start(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_State *L = s->main;
    if (t->co)
        return true;
    lua_State *spare = spt_spare_lend(&s->pool.spare, t);
    if (spare) {
        spt_first_call_lend_coroutine(L, t, spare);
        return true;
    }
    if (!spt_coroutines_take(L, &s->pool)) {
        lua_pushcfunction(L, new_coroutine);
        lua_pushlightuserdata(L, s);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            fail_unstarted(L, t);
            return false;
        }
    }
    spt_first_call_move(L, t);
    return true;
}

/* Reads the clock, and ends the turn of a task that has left its coroutine, or has none. */
static inline void end_left(struct spt_task *t, uint64_t t_begin_ns, bool ended)
{
    t->sched->now_ns = spt_sched_clock(t->sched);
    spt_turns_end(t, t_begin_ns,
                  ended                          ? SPT_LEFT_END
                  : t->state == SPT_TASK_WAITING ? SPT_LEFT_WAIT
                                                 : SPT_LEFT_YIELD);
}

/* Runs a turn of a bare task. Returns false, with nothing done, if it needs a coroutine. That has
 * the results and errors of a wait that is over, unless it has none. */
static bool run_bare(struct spt_task *t, bool fresh)
{
    struct spt_sched *s = t->sched;
    uint64_t t0_ns = s->now_ns;
    bool done = true;
    if (!fresh && t->wait.op->type->close) {
        t->body.bare = false;
        return false;
    }
    s->current = t;
    t->turn.budget = SPT_TURNS_BUDGET;
    if (fresh)
        done = spt_bare_begin(t);
    else
        spt_bare_end(t);
    s->current = NULL;
    if (!done)
        return false;
    end_left(t, t0_ns, !fresh);
    if (!fresh)
        spt_finish_task(t);
    return true;
}

void spt_turn_run(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    int nargs = 0, nvalues = 0;
    bool fresh = t->state == SPT_TASK_NEW;
    spt_task_become(t, SPT_TASK_RUNNING);
    if (t->body.bare && run_bare(t, fresh))
        return;
    if (fresh || !t->co) {
        if (!start(t))
            return;
        nargs = t->numbers.nargs + 2; /* with the task and its function, for spt_body_run() */
    } else {
        lua_pop(t->co, 1); /* the wait mark */
    }
    struct spt_turn turn = {.t_begin_ns = s->now_ns, .outer = s->run.turns.innermost};
    s->run.turns.innermost = &turn;
    s->current = t;
    if (spt_sched_urgent(s))
        spt_hook_keep_urgent(t->co, s);
    t->turn.budget = SPT_TURNS_BUDGET;
    int status = lua_resume(t->co, NULL, nargs, &nvalues);
    s->current = NULL;
    s->run.turns.innermost = turn.outer;
    if (!turn.ended)
        end_left(t, turn.t_begin_ns, status != LUA_YIELD);
    leave(t, status, nvalues);
}
