/* SPDX-License-Identifier: MIT */
/* Opens Lua's own libraries, and replaces what would be the process', would wait for a program, or
 * would run code of the script where Lua calls no hook: finalizers, message handlers, and what a
 * coroutine closes after an error of the hook. */
#include "op/thread/libraries.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "op/thread/work.h"

static bool is_ending(lua_State *W)
{
    return spt_job_is_abandoned(&spt_thread_of(W)->job);
}

/* --- what is not there --- */

static int l_refuse(lua_State *W)
{
    return luaL_error(W, "there is no '%s' in a thread: %s", lua_tostring(W, lua_upvalueindex(1)),
                      lua_tostring(W, lua_upvalueindex(2)));
}

/* Replaces a function of the table on top of the stack by one that raises. `name` is "os.exit". */
static void refuse(lua_State *W, const char *name, const char *instead)
{
    const char *dot = strchr(name, '.');
    lua_pushstring(W, name);
    lua_pushstring(W, instead);
    lua_pushcclosure(W, l_refuse, 2);
    lua_setfield(W, -2, dot ? dot + 1 : name);
}

/* Lets the table on top of the stack have only these fields. */
static void keep_only(lua_State *W, const char *const *names)
{
    lua_newtable(W);
    for (; *names; names++) {
        lua_getfield(W, -2, *names);
        lua_setfield(W, -2, *names);
    }
    lua_remove(W, -2);
}

/* --- the base library --- */

/* Calls the function that is replaced, the upvalue, with the arguments. */
static int call_replaced(lua_State *W)
{
    lua_pushvalue(W, lua_upvalueindex(1));
    lua_insert(W, 1);
    lua_call(W, lua_gettop(W) - 1, LUA_MULTRET);
    return lua_gettop(W);
}

/* setmetatable, but without finalizers: Lua calls no hook in them, so they may never end. */
static int l_setmetatable(lua_State *W)
{
    if (lua_type(W, 2) == LUA_TTABLE) {
        lua_pushliteral(W, "__gc");
        if (lua_rawget(W, 2) != LUA_TNIL)
            return luaL_error(W, "there are no finalizers in a thread: use __close");
        lua_pop(W, 1);
    }
    return call_replaced(W);
}

/* A message handler: calls the script's, its upvalue, unless the thread ends. */
static int l_handle(lua_State *W)
{
    lua_settop(W, 1);
    if (is_ending(W))
        return 1;
    lua_pushvalue(W, lua_upvalueindex(1));
    lua_insert(W, 1);
    lua_call(W, 1, 1);
    return 1;
}

static int after_call(lua_State *W, int status, lua_KContext ctx)
{
    // stack: handler, true, results ... | handler, true, error
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(W) - 1;
    lua_pushboolean(W, 0);
    lua_insert(W, -2);
    return 2;
}

static int l_xpcall(lua_State *W)
{
    luaL_checktype(W, 2, LUA_TFUNCTION);
    lua_pushvalue(W, 2);
    lua_pushcclosure(W, l_handle, 1);
    lua_replace(W, 2);
    lua_pushboolean(W, 1);
    lua_pushvalue(W, 1);
    lua_remove(W, 1); // stack: handler, arguments ..., true, function
    lua_rotate(W, 2, 2);
    return after_call(W, lua_pcallk(W, lua_gettop(W) - 3, LUA_MULTRET, 1, 0, after_call), 0);
}

/* load, but of text only: crafted bytecode reaches all memory. */
static int l_load_text(lua_State *W)
{
    if (lua_gettop(W) < 3)
        lua_settop(W, 3);
    lua_pushliteral(W, "t");
    lua_replace(W, 3);
    return call_replaced(W);
}

/* print, with a single write for the line. */
static int l_print(lua_State *W)
{
    luaL_Buffer line;
    int n = lua_gettop(W);
    luaL_buffinit(W, &line);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        luaL_tolstring(W, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    fwrite(luaL_buffaddr(&line), 1, luaL_bufflen(&line), stdout);
    return 0;
}

/* Replaces a global by a function that has it as its upvalue. */
static void wrap(lua_State *W, const char *name, lua_CFunction function)
{
    lua_getglobal(W, name);
    lua_pushcclosure(W, function, 1);
    lua_setglobal(W, name);
}

static void open_base(lua_State *W, const struct spt_thread *t)
{
    luaL_requiref(W, LUA_GNAME, luaopen_base, 1);
    wrap(W, "setmetatable", l_setmetatable);
    lua_pushcfunction(W, l_xpcall);
    lua_setglobal(W, "xpcall");
    if (t->prints)
        lua_register(W, "print", l_print);
    else
        refuse(W, "print", "return the text");
    if (t->is_trusted)
        return;
    wrap(W, "load", l_load_text);
    refuse(W, "dofile", "pass the text, and 'load' it");
    refuse(W, "loadfile", "pass the text, and 'load' it");
}

/* --- coroutines --- */

/* Closing would run functions of a coroutine in which Lua calls no hook any more. */
static void check_closing(lua_State *W)
{
    if (is_ending(W))
        luaL_error(W, "the waiter has left");
}

static int l_close(lua_State *W)
{
    check_closing(W);
    return call_replaced(W);
}

/* Ends the call of a wrapped coroutine that has failed: closes it, and raises its error with the
 * place. */
static int raise_from(lua_State *W, lua_State *co)
{
    check_closing(W);
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        status = lua_resetthread(co);
        lua_xmove(co, W, 1);
    }
    if (status != LUA_ERRMEM && lua_type(W, -1) == LUA_TSTRING) {
        luaL_where(W, 1);
        lua_insert(W, -2);
        lua_concat(W, 2);
    }
    return lua_error(W);
}

static int l_wrapped(lua_State *W)
{
    lua_State *co = lua_tothread(W, lua_upvalueindex(1));
    int n = lua_gettop(W), results;
    if (!lua_checkstack(co, n))
        return luaL_error(W, "too many arguments to resume");
    lua_xmove(W, co, n);
    int status = lua_resume(co, W, n, &results);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, W, 1);
        return raise_from(W, co);
    }
    if (!lua_checkstack(W, results + 1))
        return luaL_error(W, "too many results to resume");
    lua_xmove(co, W, results);
    return results;
}

static int l_wrap(lua_State *W)
{
    luaL_checktype(W, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(W);
    lua_pushvalue(W, 1);
    lua_xmove(W, co, 1);
    lua_pushcclosure(W, l_wrapped, 1);
    return 1;
}

static void open_coroutine(lua_State *W)
{
    luaL_requiref(W, LUA_COLIBNAME, luaopen_coroutine, 1);
    lua_getfield(W, -1, "close");
    lua_pushcclosure(W, l_close, 1);
    lua_setfield(W, -2, "close");
    lua_pushcfunction(W, l_wrap);
    lua_setfield(W, -2, "wrap");
}

/* --- the other libraries --- */

/* Lua draws the seed from addresses and the time, which the states of one second may share. */
static void open_math(lua_State *W)
{
    lua_Integer seed[2] = {0, 0};
    luaL_requiref(W, LUA_MATHLIBNAME, luaopen_math, 1);
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return;
    lua_getfield(W, -1, "randomseed");
    lua_pushinteger(W, seed[0]);
    lua_pushinteger(W, seed[1]);
    lua_call(W, 2, 0);
}

static void open_os(lua_State *W, const struct spt_thread *t)
{
    static const char *const all[] = {"clock",  "date", "difftime", "getenv", "remove",
                                      "rename", "time", "tmpname",  NULL};
    static const char *const safe[] = {"clock", "date", "difftime", "time", NULL};
    luaL_requiref(W, LUA_OSLIBNAME, luaopen_os, 0);
    keep_only(W, t->is_trusted ? all : safe);
    refuse(W, "os.exit", "return, or raise an error");
    refuse(W, "os.execute", "use septet.process in a task");
    refuse(W, "os.setlocale", "the locale is the process'");
    lua_setglobal(W, LUA_OSLIBNAME);
}

static void open_io(lua_State *W)
{
    luaL_requiref(W, LUA_IOLIBNAME, luaopen_io, 1);
    refuse(W, "io.popen", "use septet.process in a task");
}

static void open_debug(lua_State *W)
{
    static const char *const safe[] = {"traceback", "getinfo", NULL};
    luaL_requiref(W, LUA_DBLIBNAME, luaopen_debug, 0);
    keep_only(W, safe);
    refuse(W, "debug.sethook", "the hook is what ends it");
    lua_setglobal(W, LUA_DBLIBNAME);
}

/* A searcher of `require` that finds nothing, and says why. */
static int l_search(lua_State *W)
{
    if (strncmp(luaL_checkstring(W, 1), "septet", 6) == 0)
        lua_pushliteral(W, "no module of Septet: they belong to tasks, and a thread has none");
    else
        lua_pushliteral(W, "no module in C: a thread has none");
    return 1;
}

/* Opens `require` for modules in Lua. */
static void open_package(lua_State *W, const struct spt_thread *t)
{
    luaL_requiref(W, LUA_LOADLIBNAME, luaopen_package, 1);
    lua_pushstring(W, t->path);
    lua_setfield(W, -2, "path");
    lua_pushliteral(W, "");
    lua_setfield(W, -2, "cpath");
    refuse(W, "package.loadlib", "it has no modules in C");
    lua_getfield(W, -1, "searchers"); /* of preloaded modules, of Lua files, two of C */
    lua_pushcfunction(W, l_search);
    lua_rawseti(W, -2, 3);
    lua_pushnil(W);
    lua_rawseti(W, -2, 4);
}

void spt_thread_libraries_open(lua_State *W)
{
    const struct spt_thread *t = spt_thread_of(W);
    luaL_checkstack(W, 40, NULL);
    open_base(W, t);
    open_coroutine(W);
    open_math(W);
    luaL_requiref(W, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(W, LUA_STRLIBNAME, luaopen_string, 1);
    if (!t->is_trusted)
        refuse(W, "string.dump", "there is no bytecode");
    luaL_requiref(W, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    open_os(W, t);
    open_debug(W);
    if (!t->is_trusted)
        return;
    open_io(W);
    open_package(W, t);
}
