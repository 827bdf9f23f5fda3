/* SPDX-License-Identifier: MIT */
/* Calls the function of a bare task, and ends the task once its wait is over. */
#include "core/bare.h"

#include <assert.h>

#include "core/error.h"
#include "core/first_call.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"

void spt_bare_allow(struct spt_sched *s, enum spt_bare_kind kind, lua_CFunction function)
{
    for (unsigned i = 0; i < s->run.bare.n; i++)
        if (s->run.bare.functions[i] == function)
            return;
    assert(s->run.bare.n < SPT_BARE_FUNCTIONS);
    s->run.bare.kinds[s->run.bare.n] = (uint8_t)kind;
    s->run.bare.functions[s->run.bare.n++] = function;
}

enum spt_bare_kind spt_bare_kind_of(lua_State *L, const struct spt_sched *s, int index)
{
    lua_CFunction function = lua_tocfunction(L, index);
    for (unsigned i = 0; function && i < s->run.bare.n; i++)
        if (s->run.bare.functions[i] == function)
            return (enum spt_bare_kind)s->run.bare.kinds[i];
    return SPT_BARE_NONE;
}

septet_op *spt_bare_done(const struct spt_sched *s)
{
    const struct spt_task *t = s->current;
    return t && t->co ? t->wait.op : NULL;
}

bool spt_bare_begins(lua_State *L, const struct spt_sched *s)
{
    return s->current && !s->current->co && spt_op_can_wait(L, s);
}

void spt_bare_keep(lua_State *L, const struct spt_sched *s, int n)
{
    struct spt_task *t = s->current;
    if (t->co) {
        lua_pop(L, n);
        return;
    }
    spt_task_push(L, t);
    spt_first_call_drop(L, t);
    lua_insert(L, -1 - n);
    for (int i = n; i > 0; i--)
        lua_setiuservalue(L, -1 - i, spt_first_call_place(i));
    lua_pop(L, 1);
    t->numbers.nargs = n;
}

/* Stores the value on top of the main stack as the result or the error, in place of the call. */
static void keep_result(struct spt_task *t, enum spt_task_state outcome)
{
    lua_State *L = t->sched->main;
    t->body.outcome = (uint8_t)outcome;
    spt_task_push(L, t);
    spt_first_call_drop(L, t);
    t->numbers.nresults = 0;
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_pop(L, 1);
}

/* Like lua_pcall() on the main state, and records where the called function is on its stack. */
static int call(struct spt_sched *s, int nargs, int nresults)
{
    lua_Debug ar;
    int level = 0;
    while (lua_getstack(s->main, level, &ar))
        level++;
    s->run.bare.level = level + 1;
    int status = lua_pcall(s->main, nargs, nresults, 0);
    s->run.bare.level = 0;
    return status;
}

bool spt_bare_begin(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_State *L = s->main;
    int handle = lua_gettop(L) + 1, status = LUA_ERRMEM;
    if (lua_checkstack(L, t->numbers.nargs + LUA_MINSTACK)) {
        spt_task_push(L, t);
        lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
        spt_first_call_push_arguments(L, handle, t);
        status = call(s, t->numbers.nargs, 0);
        lua_settop(L, handle - 1);
    }
    t->body.bare = status == LUA_OK;
    assert(!t->body.bare || t->state != SPT_TASK_RUNNING);
    return t->body.bare;
}

/* Pushes the Cancelled of the bare task that is the argument, as a light userdata. */
static int push_cancelled(lua_State *L)
{
    spt_op_push_cancelled(L, lua_touserdata(L, 1));
    return 1;
}

void spt_bare_end(struct spt_task *t)
{
    lua_State *L = t->sched->main;
    septet_op *op = t->wait.op;
    t->wait.op = NULL;
    if (op->state == SPT_OP_DONE) {
        op->state = SPT_OP_CLOSED;
        lua_pushnil(L);
        keep_result(t, SPT_TASK_DONE);
        return;
    }
    lua_pushcfunction(L, push_cancelled);
    lua_pushlightuserdata(L, t);
    int status = call(t->sched, 1, 1);
    keep_result(t, status == LUA_OK ? SPT_TASK_CANCELLED : SPT_TASK_FAILED);
}
