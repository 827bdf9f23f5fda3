/* SPDX-License-Identifier: MIT */
/* Lets coroutines inside tasks wait. A wait in a script's own coroutine passes outward through
 * every resume to the scheduler. The wake-up passes inward again, so that scripts see only their
 * own yields. A coroutine that never waits costs nothing more. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>

#include "core/body.h"
#include "core/error.h"
#include "core/hook.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "lua/lib.h"
#include "lua/replace.h"
#include "op/env.h"

/* Returns the innermost open scope of the running task. If the script resumes a coroutine, the
 * scope must be the same when that yields. */
static struct spt_scope *innermost_scope(lua_State *L)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    return t ? t->scope : NULL;
}

/* --- protected coroutines --- */

/* Ends the base of a protected coroutine. The base calls the script's function, its upvalue, in
 * protected mode. An error unwinds the function here, where closing variables may wait, and then
 * ends the coroutine. */
static int base_ended(lua_State *L, int status, lua_KContext ctx)
{
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 1;
}

static int base(lua_State *L)
{
    lua_pushcfunction(L, spt_traceback_on_death);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_rotate(L, 1, 2);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, base_ended);
    return base_ended(L, status, 0);
}

/* Returns true if `co` is on a base and has yet to enter its function, a Lua function of the
 * script. */
static bool begins_on_base(lua_State *co)
{
    if (lua_status(co) != LUA_OK || lua_tocfunction(co, 1) != base || !lua_getupvalue(co, 1, 1))
        return false;
    bool in_lua = !lua_iscfunction(co, -1);
    lua_pop(co, 1);
    return in_lua;
}

/* Suspends the coroutine. Lua skips the event of the first line then, so it is counted here. */
static void on_first(lua_State *L, lua_Debug *ar)
{
    spt_hook_count_line(L, ar);
    lua_sethook(L, NULL, 0, 0);
    lua_yield(L, 0);
}

/* Returns true if a hook suspended `co`. A function's yield has a C function on top instead. */
static bool yielded_in_hook(lua_State *co)
{
    lua_Debug ar;
    return lua_getstack(co, 0, &ar) && lua_getinfo(co, "S", &ar) && *ar.what != 'C';
}

/* Like lua_resume(), but saves a level of C calls, of which Lua has 200. The call of a protected
 * function from its base takes one until the coroutine is first suspended. A hook suspends it at
 * the function's first instruction. */
static int resume(lua_State *co, lua_State *L, int nargs, int *nresults)
{
    struct spt_sched *s = spt_env(L)->sched;
    if (!begins_on_base(co))
        return lua_resume(co, L, nargs, nresults);
    lua_Hook hook = lua_gethook(co);
    int mask = lua_gethookmask(co), count = lua_gethookcount(co);
    lua_sethook(co, on_first, LUA_MASKCOUNT, 1);
    int status = lua_resume(co, L, nargs, nresults);
    spt_hook_put(co, s, hook, mask, count);
    if (status == LUA_YIELD && yielded_in_hook(co))
        return lua_resume(co, L, 0, nresults);
    return status;
}

/* Sets on `co` the host's hooks that it lacks: it may come from where they were not set. */
static void ensure_hooks(lua_State *co, struct spt_sched *s)
{
    int mask =
        (spt_hook_counts(s) ? LUA_MASKCOUNT : 0) | (s->debug_hook.line.call ? LUA_MASKLINE : 0);
    if ((mask & ~lua_gethookmask(co)) && spt_hook_is_ours(s, co) && lua_checkstack(co, 2))
        spt_hook_restore(co, s);
}

/* Counts the start of `co` against the limits of the running task. */
static void count_start(lua_State *L, lua_State *co)
{
    const struct spt_sched *s = spt_env(L)->sched;
    if (s->debug_hook.count_hook && lua_status(co) == LUA_OK && spt_hook_counts(s))
        s->debug_hook.count_hook(L, NULL);
}

/* Resumes `co` from `L`, one level deeper in the running task. */
static int enter(lua_State *L, lua_State *co, int nargs, struct spt_scope *scope, int *nresults)
{
    struct spt_sched *s = spt_env(L)->sched;
    struct spt_task *t = s->current;
    if (!t)
        return resume(co, L, nargs, nresults);
    if (s->debug_hook.count_hook || s->debug_hook.line.call)
        ensure_hooks(co, s);
    struct spt_frame frame = {
        .co = co,
        .up = s->run.turns.frame,
        .scope = scope,
        .open = lua_isyieldable(L) && L == spt_task_innermost(t) &&
                (!s->run.turns.frame || s->run.turns.frame->open),
    };
    atomic_signal_fence(memory_order_release); /* a signal's handler reads the frame */
    s->run.turns.frame = &frame;
    if (spt_sched_urgent(s))
        spt_hook_keep_urgent(co, s);
    int status = resume(co, L, nargs, nresults);
    s->run.turns.frame = frame.up;
    if (spt_sched_urgent(s))
        spt_hook_keep_urgent(L, s);
    return status;
}

/* Moves the values that `co` yielded, returned or raised to L. Returns their number, or -1 for an
 * error. */
static int take_results(lua_State *L, lua_State *co, int status, int nresults)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, nresults + 1)) {
        lua_pop(co, nresults);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, nresults);
    return nresults;
}

/* Pushes why `co` cannot be resumed with `nargs` arguments, if lua_resume() would not detect it.
 * Returns true if it pushed a reason. */
static bool push_refusal(lua_State *L, lua_State *co, int nargs)
{
    if (spt_op_is_waiting(co))
        lua_pushliteral(L, "cannot resume a coroutine that waits in a task");
    else if (!lua_checkstack(co, nargs))
        lua_pushliteral(L, "too many arguments to resume");
    else
        return false;
    return true;
}

/* Runs `co`, which the script resumed in `scope`, until it yields to the script, ends, or waits. A
 * wait passes outward, and `k` continues after it. Returns like take_results(), but does not return
 * if `co` waits. */
static int run(lua_State *L, lua_State *co, int nargs, struct spt_scope *scope, lua_KFunction k)
{
    int nresults = 0;
    int status = enter(L, co, nargs, scope, &nresults);
    if (status == LUA_YIELD && spt_op_is_waiting(co)) {
        lua_pushlightuserdata(L, (void *)&spt_wait_mark);
        return lua_yieldk(L, 1, (lua_KContext)scope, k);
    }
    return take_results(L, co, status, nresults);
}

/* Pushes the function, with its arguments, that ends the blocks which a dead coroutine left open;
 * the error is on top of the stack. Lua runs no closing variable there, and the running code would
 * stay inside those blocks. Returns false if no block is open inside `scope`. */
static bool push_unwind(lua_State *L, lua_State *co, struct spt_scope *scope)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    return t && spt_body_push_unwind(L, t, scope, co);
}

/* Continues as the standard function, the second upvalue, in the frame of the replacement. Its
 * error messages for wrong arguments are kept this way. */
static int stock(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* --- resume --- */

static int resume_failed(lua_State *L, int status, lua_KContext ctx)
{
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int resume_results(lua_State *L, int n, struct spt_scope *scope)
{
    if (n < 0) {
        if (push_unwind(L, lua_tothread(L, 1), scope))
            lua_callk(L, 4, 1, 0, resume_failed);
        return resume_failed(L, LUA_OK, 0);
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(L, 1);
    lua_pop(co, 1); /* the wait mark */
    struct spt_scope *scope = (struct spt_scope *)ctx;
    return resume_results(L, run(L, co, 0, scope, resume_again), scope);
}

/* coroutine.resume, but passes waits outward. */
static int l_resume(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    int nargs = lua_gettop(L) - 1;
    struct spt_scope *scope = innermost_scope(L);
    if (!co)
        return stock(L);
    if (push_refusal(L, co, nargs))
        return resume_results(L, -1, scope);
    count_start(L, co);
    lua_xmove(L, co, nargs);
    return resume_results(L, run(L, co, nargs, scope, resume_again), scope);
}

/* --- wrap --- */

static int wrap_failed(lua_State *L, int status, lua_KContext no_memory)
{
    if (!no_memory && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    spt_traceback_of_death(L, lua_tothread(L, lua_upvalueindex(2)));
    lua_insert(L, -2);
    return spt_traceback_raise(L, "resumed at");
}

static int wrap_results(lua_State *L, lua_State *co, int n, struct spt_scope *scope)
{
    if (n >= 0)
        return n;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { /* died of an error: close its variables */
        lua_pop(L, 1);
        status = lua_resetthread(co);
        lua_xmove(co, L, 1);
    }
    lua_KContext no_memory = status == LUA_ERRMEM;
    if (push_unwind(L, co, scope))
        lua_callk(L, 4, 1, no_memory, wrap_failed);
    return wrap_failed(L, LUA_OK, no_memory);
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    lua_pop(co, 1); /* the wait mark */
    struct spt_scope *scope = (struct spt_scope *)ctx;
    return wrap_results(L, co, run(L, co, 0, scope, wrap_again), scope);
}

static int l_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    int nargs = lua_gettop(L);
    struct spt_scope *scope = innermost_scope(L);
    if (push_refusal(L, co, nargs))
        return wrap_results(L, co, -1, scope);
    count_start(L, co);
    lua_xmove(L, co, nargs);
    return wrap_results(L, co, run(L, co, nargs, scope, wrap_again), scope);
}

/* coroutine.wrap, but passes waits outward. */
static int l_wrap(lua_State *L)
{
    if (!lua_isfunction(L, 1))
        return stock(L);
    lua_pushlightuserdata(L, spt_env(L));
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, base, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, l_wrapped, 2);
    return 1;
}

/* --- the others --- */

static bool at_task_level(lua_State *L)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    return t && t->co == L;
}

/* coroutine.yield, but only out of a script's own coroutine, and neither across an open block nor
 * out of the `with` of a task-local. Code that runs meanwhile would be in a scope that it did not
 * open, or see a value that it did not set. */
static int l_yield(lua_State *L)
{
    const struct spt_sched *s = spt_env(L)->sched;
    const struct spt_task *t = s->current;
    if (at_task_level(L)) {
        lua_pushliteral(L, "attempt to yield from outside a coroutine"); /* Lua's words */
        return lua_error(L);
    }
    if (t && s->run.turns.frame && s->run.turns.frame->co == L &&
        s->run.turns.frame->scope != t->scope)
        return spt_error_usage(
            L, "cannot yield across an open group, timeout or shield: it would apply to "
               "other code");
    if (t && !spt_task_is_leaf(t) && t->more.local_in == L)
        return spt_error_usage(L, "cannot yield out of var:with: other code would see its "
                                  "value");
    return lua_yield(L, lua_gettop(L));
}

/* coroutine.isyieldable, but treats the task's own coroutine like Lua's main one. */
static int l_isyieldable(lua_State *L)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    if (t && t->co == (lua_isnone(L, 1) ? L : lua_tothread(L, 1))) {
        lua_pushboolean(L, 0);
        return 1;
    }
    return stock(L);
}

/* coroutine.running, but reports the task's own coroutine as the main one. Once a script has seen
 * it, it is not reused for other tasks. */
static int l_running(lua_State *L)
{
    if (!at_task_level(L))
        return stock(L);
    spt_env(L)->sched->current->body.coroutine_seen = true;
    lua_pushthread(L);
    lua_pushboolean(L, 1);
    return 2;
}

/* coroutine.close, but refuses a coroutine that waits. */
static int l_close(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    if (co && spt_op_is_waiting(co))
        return spt_error_usage(L, "cannot close a coroutine that waits in a task: cancel the task");
    if (co) /* its closing variables run in it */
        ensure_hooks(co, spt_env(L)->sched);
    return stock(L);
}

static const luaL_Reg functions[] = {
    {"resume", l_resume},   {"wrap", l_wrap},   {"yield", l_yield}, {"isyieldable", l_isyieldable},
    {"running", l_running}, {"close", l_close}, {NULL, NULL},
};

void spt_open_coroutine(lua_State *L, struct spt_env *env)
{
    env->sched->frames.base = base;
    env->sched->frames.handler = spt_traceback_on_death;
    spt_replace_functions(L, env, luaopen_coroutine, LUA_COLIBNAME, functions);
}
