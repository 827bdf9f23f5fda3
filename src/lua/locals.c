/* SPDX-License-Identifier: MIT */
/* Stores the task-locals of a task in a table. Tasks may share the table, so it is replaced and
 * never changed. */
#include <lauxlib.h>

#include "core/error.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "lua/lib.h"
#include "op/env.h"

/* Pushes the table of the task's locals, or nil if it has none. */
static void push_locals(lua_State *L, const struct spt_task *t)
{
    if (!t->body.has_locals) {
        lua_pushnil(L);
        return;
    }
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_LOCALS);
    lua_remove(L, -2);
}

/* Pops a table, or nil, from the stack and makes it the task's locals. Allocates nothing. */
static void set_locals(lua_State *L, struct spt_task *t)
{
    t->body.has_locals = !lua_isnil(L, -1);
    spt_task_push(L, t);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_LOCALS);
    lua_pop(L, 1);
}

/* Returns the running task. A leaf has no place for locals, and only finalizers run in it. */
static struct spt_task *check_current(lua_State *L)
{
    struct spt_task *t = spt_env(L)->sched->current;
    if (!t || spt_task_is_leaf(t))
        spt_error_usage(L, "cannot set a task-local here: not inside a task");
    return t;
}

/* locals(): returns the table of the running task's locals, or nil if it has none. The table must
 * not be changed. */
static int l_locals(lua_State *L)
{
    const struct spt_task *t = spt_env(L)->sched->current;
    if (!t)
        return 0;
    push_locals(L, t);
    return 1;
}

/* set_locals(table): replaces the table of the running task's locals. */
static int l_set_locals(lua_State *L)
{
    struct spt_task *t = check_current(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    set_locals(L, t);
    return 0;
}

/* The stack of with_locals. */
enum { VAR = 1, INSIDE, OUTSIDE, HANDLER, FUNCTION };

/* Restores the variable's previous value. Other values that the function has set, which made a new
 * table, are kept. */
static void leave(lua_State *L, struct spt_task *t)
{
    push_locals(L, t);
    lua_pushvalue(L, OUTSIDE);
    set_locals(L, t); /* holds if there is no memory for the rest */
    if (!lua_rawequal(L, -1, INSIDE)) {
        int set = lua_gettop(L);
        lua_newtable(L);
        lua_pushnil(L);
        while (lua_next(L, set)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, set + 1);
        }
        lua_pushvalue(L, VAR);
        if (lua_isnil(L, OUTSIDE)) {
            lua_pushnil(L);
        } else {
            lua_pushvalue(L, VAR);
            lua_rawget(L, OUTSIDE);
        }
        lua_rawset(L, set + 1);
        set_locals(L, t);
    }
    lua_pop(L, 1);
}

/* Sets the coroutine in which the innermost `with` is open. Returns the one before. */
static lua_State *enter(struct spt_task *t, lua_State *in)
{
    lua_State *outer = t->more.local_in;
    t->more.local_in = in;
    return outer;
}

/* Restores the locals and returns the function's results, or raises its error. It is in C, because
 * in Lua a hook or an error of memory may come between any two steps. */
static int with_ended(lua_State *L, int status, lua_KContext outer)
{
    struct spt_task *t = spt_env(L)->sched->current;
    luaL_checkstack(L, 8, NULL);
    enter(t, (lua_State *)outer);
    leave(L, t);
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - HANDLER;
    spt_traceback_caught(L, HANDLER, -1);
    lua_insert(L, -2);
    return spt_traceback_raise(L, NULL);
}

/* with_locals(var, table, fn, ...): calls fn(...) with the table as the locals, in which `var` has
 * another value. The calling coroutine cannot yield until fn returns, because code that ran
 * meanwhile would see that value. */
static int l_with_locals(lua_State *L)
{
    struct spt_task *t = check_current(L);
    luaL_checktype(L, VAR, LUA_TTABLE);
    luaL_checktype(L, INSIDE, LUA_TTABLE);
    luaL_checkany(L, INSIDE + 1);
    luaL_checkstack(L, 8, "too many arguments");
    push_locals(L, t);
    lua_insert(L, OUTSIDE);
    spt_traceback_push_handler(L, false);
    lua_insert(L, HANDLER);
    lua_pushvalue(L, INSIDE);
    set_locals(L, t);
    lua_KContext outer = (lua_KContext)enter(t, L);
    int nargs = lua_gettop(L) - FUNCTION;
    return with_ended(L, lua_pcallk(L, nargs, LUA_MULTRET, HANDLER, outer, with_ended), outer);
}

static const luaL_Reg functions[] = {{"locals", l_locals},
                                     {"set_locals", l_set_locals},
                                     {"with_locals", l_with_locals},
                                     {NULL, NULL}};

void spt_open_locals(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
