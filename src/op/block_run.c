/* SPDX-License-Identifier: MIT */
/* block_run: runs a function in a scope of its own, and ends the scope on every path. What ends it
 * in the usual case is a function in Lua, which may fail for want of memory. Then this file cancels
 * the scope's tasks, waits for them and closes the scope, without allocating. */
#include <lauxlib.h>

#include "core/body.h"
#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "op/block.h"
#include "op/env.h"
#include "op/openers.h"

/* The stack of the functions below. The results of what they call, or its error, lie above. */
enum { HANDLER = 1, SCOPE, SECONDS, LEAVE, RESULTS };

/* Pushes the handle of the innermost open block. */
static void push_innermost(lua_State *L, const struct spt_task *t)
{
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    lua_remove(L, -2);
}

/* Ends the blocks that are still open inside the scope `ctx`, if it is not 0, innermost first. Then
 * raises the error in `RESULTS`, or returns it if `LEAVE` is true. Also continues after each
 * wait. */
static int end_open(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_scope *outer = (struct spt_scope *)ctx;
    const struct spt_task *t = outer ? spt_sched_of_scope(outer)->current : NULL;
    while (outer && spt_block_is_inside(t, outer)) {
        struct spt_scope *inner = t->scope;
        lua_settop(L, RESULTS);
        push_innermost(L, t);
        if (inner->tasks.live > 0) {
            spt_scope_cancel(inner, "owner", NULL);
            lua_pushcfunction(L, spt_block_join);
            lua_insert(L, -2);
            lua_callk(L, 1, 0, ctx, end_open);
        } else {
            spt_block_close(L, RESULTS + 1);
        }
    }
    lua_settop(L, RESULTS);
    if (lua_isboolean(L, LEAVE))
        return 1;
    spt_traceback_caught(L, HANDLER, RESULTS);
    lua_insert(L, RESULTS);
    return spt_traceback_raise(L, NULL);
}

/* Closes the block at once, if its body returned, nothing but the block has to end, and `leave`
 * would return the results, with a true before them if that is not false. Such a block costs half
 * of what it costs through Lua. Returns true if the results are on top of the stack now. */
static bool leave_at_once(lua_State *L)
{
    const struct spt_block *block = lua_touserdata(L, SCOPE);
    const struct spt_scope *scope = &block->scope;
    struct spt_task *t = spt_sched_of_scope(scope)->current;
    if (block->leave == SPT_BLOCK_BY_LUA || t->scope != scope || scope->tasks.live > 0 ||
        t->turn.budget <= 0 || !lua_checkstack(L, 8))
        return false;
    bool closers = lua_getiuservalue(L, SCOPE, SPT_BLOCK_UV_CLOSERS) != LUA_TNIL;
    lua_pop(L, 1);
    if (closers)
        return false;
    t->turn.budget--; /* as the join does: blocks in a loop let others have their turns */
    if (block->leave == SPT_BLOCK_IN_TIME) {
        lua_pushboolean(L, 1);
        lua_insert(L, RESULTS);
    }
    spt_block_close(L, SCOPE);
    return true;
}

/* Returns what LEAVE has returned. If it failed, ends what it left open. */
static int left(lua_State *L, int status, lua_KContext ctx)
{
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - LEAVE;
    return end_open(L, status, ctx);
}

/* Calls leave(scope, seconds, ok, ...) with the body's results, or with its error and traceback. */
static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
    bool ok = status == LUA_OK || status == LUA_YIELD;
    if (lua_isnil(L, LEAVE) || (ok && leave_at_once(L)))
        return left(L, status, ctx);
    if (!lua_checkstack(L, 8)) {
        lua_settop(L, LEAVE);
        lua_pushliteral(L, "not enough memory"); /* Lua has this string already */
        return end_open(L, LUA_ERRMEM, ctx);
    }
    if (!ok)
        spt_traceback_caught(L, HANDLER, RESULTS);
    spt_traceback_reuse_handler(L, HANDLER);
    lua_pushvalue(L, LEAVE);
    lua_pushvalue(L, SCOPE);
    lua_pushvalue(L, SECONDS);
    lua_pushboolean(L, ok);
    lua_rotate(L, RESULTS, 4);
    return left(L, lua_pcallk(L, lua_gettop(L) - RESULTS, LUA_MULTRET, HANDLER, ctx, left), ctx);
}

/* run_block(is_group, shield, seconds, leave, in_time, fn, ...): opens a scope as scope() does,
 * calls fn(...) protected, and returns leave(scope, seconds, ok, ...) with its results, or with
 * false, its error and the error's traceback. `leave` ends the scope; nil if `fn` does. `in_time`
 * says what `leave` returns if nothing but the scope has to end: the results if it is false, a true
 * and the results if it is true; nil if `leave` has more to do. A group's `fn`, and one that ends
 * the scope, gets the scope as its first argument. Whatever fails, the scope is closed and none of
 * its tasks is alive when this returns. */
static int l_run(lua_State *L)
{
    if (lua_gettop(L) < 6)
        lua_settop(L, 6);
    bool is_group = lua_toboolean(L, 1), shield = lua_toboolean(L, 2);
    uint64_t ns = spt_check_opt_seconds(L, 3, SPT_NEVER);
    bool gets_scope = is_group || lua_isnil(L, 4);
    enum spt_block_leave leave = lua_isnil(L, 5)       ? SPT_BLOCK_BY_LUA
                                 : lua_toboolean(L, 5) ? SPT_BLOCK_IN_TIME
                                                       : SPT_BLOCK_RESULTS;
    luaL_checkstack(L, LUA_MINSTACK + 8, "too many arguments");
    lua_remove(L, 5);
    lua_remove(L, 1);
    lua_remove(L, 1); // stack: seconds, leave, fn, arguments...
    spt_traceback_push_handler(L, false);
    lua_insert(L, HANDLER);
    struct spt_scope *scope = spt_block_open(
        L, spt_env(L)->sched,
        (struct spt_scope_kind){.shield = shield, .cancels_on_failure = is_group}, ns);
    SPT_OF(scope, struct spt_block, scope)->leave = leave;
    lua_insert(L, SCOPE);
    // stack: handler, scope, seconds, leave, fn, arguments...
    if (gets_scope) {
        lua_pushvalue(L, SCOPE);
        lua_insert(L, RESULTS + 1);
    }
    int nargs = lua_gettop(L) - RESULTS;
    lua_KContext ctx = (lua_KContext)scope->parent;
    return body_ended(L, lua_pcallk(L, nargs, LUA_MULTRET, HANDLER, ctx, body_ended), ctx);
}

/* takes(seconds, fn): returns true if they are a number of seconds, or nil, and a function. */
static int l_takes(lua_State *L)
{
    lua_settop(L, 2);
    bool timed = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) >= 0 : lua_isnil(L, 1);
    lua_pushboolean(L, timed && lua_isfunction(L, 2));
    return 1;
}

/* Closes a block in a variable, as its __close, by the function in the upvalue, which ends the
 * scope and raises. If that fails before, ends the scope here, unless other code opened it. */
static int l_close_variable(lua_State *L)
{
    lua_settop(L, 2); // stack: scope, error
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (lua_getiuservalue(L, 1, SPT_BLOCK_UV_HANDLER) == LUA_TNIL) { /* it is not a variable's */
        lua_pop(L, 1);
        spt_traceback_push_handler(L, false);
    }
    lua_insert(L, HANDLER); // stack: handler, scope, error
    lua_pushnil(L);
    lua_insert(L, SECONDS);
    lua_pushnil(L);
    lua_insert(L, LEAVE);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, RESULTS);
    lua_pushvalue(L, SCOPE);
    lua_insert(L, RESULTS + 1);
    const struct spt_scope *scope = spt_block_check(L, SCOPE);
    lua_KContext ctx = spt_block_is_innermost(scope) ? (lua_KContext)scope->parent : 0;
    return body_ended(L, lua_pcallk(L, 2, 0, HANDLER, ctx, body_ended), ctx);
}

/* set_close_block(fn): makes fn(scope, error) what ends a block in a variable. */
static int l_set_close(lua_State *L)
{
    lua_settop(L, 1);
    luaL_getmetatable(L, SPT_BLOCK_META);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, l_close_variable, 1);
    lua_setfield(L, -2, "__close");
    return 0;
}

/* Continues l_unwind(). The original error is at SCOPE. */
static int unwound(lua_State *L, int status, lua_KContext ctx)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_settop(L, LEAVE);
        lua_pushvalue(L, SCOPE);
    }
    return end_open(L, status, ctx);
}

/* Ends the blocks that a body, or a dead coroutine, has left open inside `outer`, by the function
 * in the upvalue, and returns the error that this function returns. If it fails, or leaves any
 * open, ends them here and returns the original error. */
static int l_unwind(lua_State *L)
{
    lua_settop(L, 4); // stack: outer, left, error, coroutine
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_KContext ctx = (lua_KContext)lua_touserdata(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1); // stack: fn, outer, left, error, coroutine
    lua_pushnil(L);
    lua_insert(L, HANDLER);
    lua_pushvalue(L, 5);
    lua_insert(L, SCOPE); /* the error, for unwound() */
    lua_pushnil(L);
    lua_insert(L, SECONDS);
    lua_pushboolean(L, 1);
    lua_insert(L, LEAVE);
    return unwound(L, lua_pcallk(L, 4, 1, 0, ctx, unwound), ctx);
}

/* set_unwind(fn): makes fn(outer, left, error, coroutine) what ends blocks left open, for
 * coroutines and for tasks that end. */
static int l_set_unwind(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushcclosure(L, l_unwind, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spt_body_unwind);
    return 0;
}

static const luaL_Reg functions[] = {{"run_block", l_run},
                                     {"takes", l_takes},
                                     {"set_close_block", l_set_close},
                                     {"set_unwind", l_set_unwind},
                                     {NULL, NULL}};

void spt_open_block_run(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
