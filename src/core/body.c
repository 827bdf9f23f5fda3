/* SPDX-License-Identifier: MIT */
/* Runs a task's function protected, ends the blocks that it left open, runs its closers, and keeps
 * its results or its error in the handle. */
#include "core/body.h"

#include <lauxlib.h>

#include "core/error.h"
#include "core/frames.h"
#include "core/failure_origin.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"

/* Sets the traceback on top of the stack on the error object at index 1. An error that another task
 * raised before keeps its own. */
static void set_traceback(lua_State *L)
{
    lua_pushliteral(L, "traceback");
    if (lua_rawget(L, 1) == LUA_TNIL) {
        lua_pushliteral(L, "traceback");
        lua_pushvalue(L, -3);
        spt_traceback_render(L);
        lua_rawset(L, 1);
    }
    lua_pop(L, 1);
}

/* Handles errors at the root of a task: stores the traceback and keeps the error unchanged. */
static int on_error(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    if (lua_isnil(L, 1)) {
        spt_error_push(L, "error", "nil error");
        lua_replace(L, 1);
    }
    if (!s->current || !spt_traceback_handle(L, true))
        return 1;
    // stack: error, traceback
    if (spt_error_is(L, 1, NULL) && !lua_isnil(L, 2))
        set_traceback(L);
    spt_task_push(L, s->current);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_TRACEBACK);
    lua_settop(L, 1);
    return 1;
}

/* Returns the outcome of a task that failed with the error on top of the stack. A Cancelled that
 * escapes a task which is not cancelled was saved elsewhere and raised again, so the task
 * failed. */
static enum spt_task_state outcome_of_error(lua_State *L, struct spt_task *t)
{
    if (!spt_error_is(L, -1, "Cancelled"))
        return SPT_TASK_FAILED;
    if (t->root.cancel_pending || t->sched->run.shutting_down)
        return SPT_TASK_CANCELLED;
    lua_pop(L, 1);
    spt_error_push(L, "error", "stray Cancelled");
    lua_insert(L, 1); /* where set_traceback() expects it */
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_TRACEBACK);
    if (!lua_isnil(L, -1))
        set_traceback(L);
    lua_settop(L, 1);
    return SPT_TASK_FAILED;
}

static void pack_results(lua_State *L, int first, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, first + i - 1);
        lua_rawseti(L, -2, i);
    }
}

/* Stores the results or the error, once the body and its closers have ended. */
static int keep_result(lua_State *L, struct spt_task *t, int status)
{
    // stack: handler, results ... | handler, ..., error
    if (status == LUA_OK || status == LUA_YIELD) {
        t->numbers.nresults = lua_gettop(L) - 1;
        t->body.outcome = SPT_TASK_DONE;
        if (t->numbers.nresults == 0 &&
            t->sched->pool.spare.user == t) { /* nothing is to be replaced */
            lua_settop(L, 0);
            return 0;
        }
        if (t->numbers.nresults == 0)
            lua_pushnil(L);
        else if (t->numbers.nresults > 1)
            pack_results(L, 2, t->numbers.nresults);
    } else {
        t->body.outcome = (uint8_t)outcome_of_error(L, t);
        if (t->body.outcome == SPT_TASK_FAILED)
            spt_failure_origin_settle(L, t);
    }
    spt_task_push(L, t);
    lua_insert(L, -2);
    /* Replaces the coroutine, which nothing anchors from here on: no allocation may follow. */
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_settop(L, 0);
    return 0;
}

static int closed(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    if (status != LUA_OK && status != LUA_YIELD)
        return keep_result(L, t, status); /* the last failure counts, as with closing variables */
    return keep_result(L, t, t->body.failing ? LUA_ERRRUN : LUA_OK);
}

const char spt_body_unwind = 0;

/* Cancels the tasks of the blocks open inside `outer`. Their coroutine has died, so they have
 * failed, whether or not there is memory for the rest. */
static void fail_open(const struct spt_task *t, const struct spt_scope *outer)
{
    for (struct spt_scope *s = t->scope; s != outer && s != &t->root; s = s->parent)
        if (!s->cancel_pending)
            spt_scope_cancel(s, "sibling", NULL);
}

bool spt_body_push_unwind(lua_State *L, const struct spt_task *t, struct spt_scope *outer,
                          lua_State *dead)
{
    if (t->scope == outer)
        return false;
    if (dead)
        fail_open(t, outer);
    luaL_checkstack(L, 6, "out of stack for an error");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &spt_body_unwind) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return false;
    }
    lua_insert(L, -2);
    lua_pushlightuserdata(L, outer);
    lua_insert(L, -2);
    lua_pushboolean(L, !dead);
    lua_insert(L, -2);
    if (dead) {
        lua_pushthread(dead);
        lua_xmove(dead, L, 1);
    } else {
        lua_pushnil(L);
    }
    return true;
}

/* Runs the closers of the task, if it has any. */
static int close_rest(lua_State *L, struct spt_task *t)
{
    lua_KContext ctx = (lua_KContext)t;
    if (!t->body.has_closers)
        return keep_result(L, t, t->body.failing ? LUA_ERRRUN : LUA_OK);
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_CLOSERS);
    lua_getfield(L, -1, "close");
    lua_replace(L, -3);
    return closed(L, lua_pcallk(L, 1, 0, 1, ctx, closed), ctx);
}

/* Continues once the blocks that the body left open have ended. On top of the stack is the
 * resulting error, nil for none. */
static int unwound(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        t->body.failing = true;
    return close_rest(L, t);
}

static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    luaL_checkstack(L, 8, "too many results");
    t->body.failing = status != LUA_OK && status != LUA_YIELD;
    if (t->scope == &t->root)
        return close_rest(L, t);
    if (!t->body.failing)
        lua_pushnil(L);
    if (!spt_body_push_unwind(L, t, &t->root, NULL))
        return unwound(L, LUA_OK, ctx);
    return unwound(L, lua_pcallk(L, 4, 1, 1, ctx, unwound), ctx);
}

int spt_body_run(lua_State *L)
{
    struct spt_task *t = lua_touserdata(L, 1);
    lua_pushcfunction(L, on_error);
    lua_replace(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, (lua_KContext)t, body_ended);
    return body_ended(L, status, (lua_KContext)t);
}
