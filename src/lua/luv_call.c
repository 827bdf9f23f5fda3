/* SPDX-License-Identifier: MIT */
/* Calls the functions that scripts have given to luv. They run in callbacks of libuv, outside of
 * the drain and of tasks, on the main thread of the state. An error becomes the failure of a task,
 * and is reported like one. */
#include <lauxlib.h>

#include "core/error.h"
#include "core/sched.h"
#include "core/spawn.h"
#include "core/traceback.h"
#include "lua/luv_parts.h"
#include "op/env.h"

/* The body of the task that fails in place of a callback. */
static int l_fail(lua_State *L)
{
    lua_insert(L, 1); // stack: traceback, error
    return spt_traceback_raise(L, NULL);
}

/* Warns of an error that no task can have any more. */
static void warn(lua_State *L, struct spt_sched *s, int error)
{
    const char *words = spt_error_push_words(L, error);
    s->hooks.warn(s->hooks.ud, lua_pushfstring(L, "a callback of luv failed: %s", words));
}

/* Reports the error on top of the stack, with its traceback below. */
static void report(lua_State *L, struct spt_sched *s)
{
    if (s->counts.mains == 0 || s->run.shutting_down ||
        spt_scope_is_cancelled(&s->tree.background)) {
        warn(L, s, lua_gettop(L));
        return;
    }
    lua_pushcfunction(L, l_fail);
    lua_insert(L, -3);
    lua_insert(L, -2); // stack: ..., function, error, traceback
    struct spt_task *t = spt_spawn_detached(L, s, 2);
    lua_pushliteral(L, "callback of luv");
    lua_insert(L, -2);
    spt_spawn_name_by_item(L, t, lua_gettop(L) - 1);
}

/* Calls the function at index 2, with the arguments above. */
static int run(lua_State *L)
{
    struct spt_luv *luv = lua_touserdata(L, 1);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    spt_traceback_push_handler(L, false);
    lua_replace(L, 1);
    if (lua_pcall(L, lua_gettop(L) - 2, 0, 1) == LUA_OK)
        return 0;
    if (spt_error_is(L, -1, "Cancelled")) /* an interrupt, or the end of the run */
        return 0;
    spt_traceback_caught(L, 1, lua_gettop(L));
    lua_insert(L, -2);
    report(L, luv->env->sched);
    return 0;
}

/* Runs it where the host can be neither run nor freed. libuv may call back inside the drain, if a
 * C function runs its loop there: no task is the running one meanwhile. */
static void run_outside(lua_State *L, struct spt_luv *luv, int nargs)
{
    struct spt_sched *s = luv->env->sched;
    struct spt_task *current = s->current;
    bool draining = s->run.draining;
    s->now_ns = draining ? s->now_ns : spt_sched_clock(s);
    s->current = NULL;
    luv->running++;
    luv->env->luv_calls++;
    spt_sched_enter(s);
    if (lua_pcall(L, nargs + 2, 0, 0) != LUA_OK) {
        s->hooks.warn(s->hooks.ud, "a callback of luv failed, and memory is too short to say how");
        lua_pop(L, 1);
    }
    s->current = current;
    luv->running--;
    luv->env->luv_calls--;
    if (draining)
        return;
    spt_sched_leave(s);
    spt_sched_wake(s);
}

int spt_luv_call(lua_State *L, int nargs, int nresults, int flags)
{
    if (!lua_checkstack(L, 4)) {
        lua_pop(L, nargs + 1);
        return 0;
    }
    struct spt_luv *luv = spt_luv_push(L);
    if (!luv || luv->ended) { /* what the script would do, no loop would run */
        lua_pop(L, nargs + 2);
        return 0;
    }
    lua_insert(L, -(nargs + 2));
    lua_pushcfunction(L, run);
    lua_insert(L, -(nargs + 3)); // stack: ..., run, luv, fn, arguments...
    run_outside(L, luv, nargs);
    return 0;
}
