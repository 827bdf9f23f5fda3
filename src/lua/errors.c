/* SPDX-License-Identifier: MIT */
/* Lets the modules in Lua pass errors on without losing where they were raised. */
#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/failure_origin.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "lua/lib.h"
#include "op/env.h"

static int try_ended(lua_State *L, int status, lua_KContext ctx)
{
    // stack: handler, true, results ... | handler, true, error
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    luaL_checkstack(L, 4, NULL);
    lua_pushboolean(L, 0);
    lua_replace(L, 2);
    spt_traceback_caught(L, 1, 3);
    return 3;
}

static int protect(lua_State *L, bool unwinding)
{
    int nargs = lua_gettop(L) - 1;
    luaL_checkstack(L, 4, "too many arguments");
    spt_traceback_push_handler(L, unwinding);
    lua_insert(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 2);
    return try_ended(L, lua_pcallk(L, nargs, LUA_MULTRET, 1, 0, try_ended), 0);
}

/* try(fn, ...): like pcall, but returns the error's traceback as the third value, for `raise`. */
static int l_try(lua_State *L)
{
    return protect(L, false);
}

/* try_unwinding(fn, ...): like try(), but makes a traceback of Cancelled and GeneratorClosed
 * only. */
static int l_try_unwinding(lua_State *L)
{
    return protect(L, true);
}

/* Raises Usage for an argument that is neither a traceback nor nil. */
static void check_traceback(lua_State *L, int arg)
{
    if (!lua_isnil(L, arg) && !spt_traceback_is(L, arg))
        spt_error_arg(L, arg, "traceback expected");
}

/* raise(error, traceback, label): raises an error caught by `try`. `label` says what happens where
 * it is raised again; nil leaves the stack there out of the traceback. */
static int l_raise(lua_State *L)
{
    lua_settop(L, 3);
    check_traceback(L, 2);
    const char *label = lua_isnil(L, 3) ? NULL : spt_check_string(L, 3, NULL);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    return spt_traceback_raise(L, label);
}

/* traceback(traceback): returns its text, or nil for nil. */
static int l_traceback(lua_State *L)
{
    lua_settop(L, 1);
    check_traceback(L, 1);
    if (!lua_isnil(L, 1))
        spt_traceback_render(L);
    return 1;
}

/* origin(task): returns the id of the task in which a failed task's error was first a failure. */
static int l_origin(lua_State *L)
{
    spt_check_task(L, 1);
    lua_pushinteger(L, spt_failure_origin_of_task(L, 1));
    return 1;
}

/* source(error, traceback): like origin(), but for an error in the running task. Returns 0 if it
 * was no task's failure. */
static int l_source(lua_State *L)
{
    lua_settop(L, 2);
    check_traceback(L, 2);
    lua_pushinteger(L, spt_failure_origin_of_error(L, 1, 2));
    return 1;
}

/* failure(task): returns the error of a failed task, for code that collects errors. The failure
 * does not become observed by that. */
static int l_failure(lua_State *L)
{
    spt_check_task(L, 1);
    lua_getiuservalue(L, 1, SPT_TASK_UV_VALUE);
    return 1;
}

/* words(error): returns the text of an error. Raises only if out of memory. */
static int l_words(lua_State *L)
{
    lua_settop(L, 1);
    spt_error_push_words(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {{"try", l_try},
                                     {"try_unwinding", l_try_unwinding},
                                     {"raise", l_raise},
                                     {"traceback", l_traceback},
                                     {"origin", l_origin},
                                     {"source", l_source},
                                     {"failure", l_failure},
                                     {"words", l_words},
                                     {NULL, NULL}};

void spt_open_errors(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
