/* SPDX-License-Identifier: MIT */
/* The module `septet` for a stock lua5.4: `require "septet"` makes a host in the requiring state,
 * and adds `septet.run` to the module that the host has. It uses only the public headers. */
#include <septet/op.h>
#include <septet/septet.h>

#include <dlfcn.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FIRST_ERROR 256 /* bytes of the message that septet.run repeats */

/* The module's part of a state. */
struct module {
    septet_host *host;
    char first_error[FIRST_ERROR]; /* of the errors that no script caught in this run; may be "" */
};

/* How the function of a run ended. */
struct run {
    bool ended;
    bool failed; /* its error is the only value */
};

/* --- errors and warnings --- */

static void on_error(void *ud, const septet_error *error)
{
    struct module *module = ud;
    fprintf(stderr, "septet: unhandled error in task '%s': %s\n", error->task, error->message);
    if (error->traceback[0] != '\0')
        fprintf(stderr, "%s\n", error->traceback);
    if (module->first_error[0] == '\0')
        snprintf(module->first_error, sizeof module->first_error, "%s", error->message);
}

static void on_warning(void *ud, const char *message)
{
    fprintf(stderr, "septet: warning: %s\n", message);
}

/* --- Ctrl-C --- */

/* A signal has one handler in a process. So the first run that is under way gets the interrupts. */
static _Atomic(septet_host *) interrupted_host;
static struct sigaction programs_action;

/* The program's handler, such as lua5.4's, has its turn, too. */
static void on_interrupt(int number)
{
    septet_host *host = atomic_load(&interrupted_host);
    if (host != NULL)
        septet_interrupt(host);
    programs_action.sa_handler(number);
}

/* Interrupts the run of `host` too, if the program handles interrupts. Returns true if
 * restore_interrupts must be called. */
static bool catch_interrupts(septet_host *host)
{
    septet_host *none = NULL;
    if (!atomic_compare_exchange_strong(&interrupted_host, &none, host))
        return false;
    sigaction(SIGINT, NULL, &programs_action);
    struct sigaction action = programs_action;
    action.sa_handler = on_interrupt;
    if (!(programs_action.sa_flags & SA_SIGINFO) && programs_action.sa_handler != SIG_DFL &&
        programs_action.sa_handler != SIG_IGN && sigaction(SIGINT, &action, NULL) == 0)
        return true;
    atomic_store(&interrupted_host, NULL);
    return false;
}

/* Leaves a handler alone that the program has set meanwhile, as lua5.4's does. */
static void restore_interrupts(void)
{
    struct sigaction action;
    sigaction(SIGINT, NULL, &action);
    if (!(action.sa_flags & SA_SIGINFO) && action.sa_handler == on_interrupt)
        sigaction(SIGINT, &programs_action, NULL);
    atomic_store(&interrupted_host, NULL);
}

/* --- septet.run --- */

/* Keeps what the function of a run returned or raised in the table of the run. */
static int keep(lua_State *L, int status, lua_KContext context)
{
    struct run *run = lua_touserdata(L, lua_upvalueindex(1));
    int count = lua_gettop(L);
    for (int i = count; i > 0; i--)
        lua_rawseti(L, lua_upvalueindex(2), i);
    lua_pushinteger(L, count);
    lua_setfield(L, lua_upvalueindex(2), "n");
    run->failed = status != LUA_OK && status != LUA_YIELD;
    run->ended = true;
    return 0;
}

/* The main task of a run. Its upvalues are the run and the table. */
static int l_main(lua_State *L)
{
    return keep(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, keep), 0);
}

static void check_callable(lua_State *L)
{
    if (lua_isfunction(L, 1))
        return;
    if (luaL_getmetafield(L, 1, "__call") == LUA_TNIL)
        luaL_typeerror(L, 1, "function");
    lua_pop(L, 1);
}

/* Raises what a run that ended with `status` is to raise, if anything. */
static void check_end(lua_State *L, const struct module *module, const struct run *run, int status)
{
    if (status == SEPTET_EDEADLOCK || status == SEPTET_EINTERRUPTED || !run->ended)
        luaL_error(L, "septet.run: %s", septet_strerror(status));
    if (run->failed)
        return;
    if (status == SEPTET_ESCRIPT)
        luaL_error(L, "septet.run: a task failed, and none awaited it: %s", module->first_error);
    if (status != SEPTET_OK)
        luaL_error(L, "septet.run: %s", septet_strerror(status));
}

/* septet.run(fn, ...): runs fn(...) as a task until it has ended, and returns its results or raises
 * its error. */
static int l_run(lua_State *L)
{
    struct module *module = lua_touserdata(L, lua_upvalueindex(1));
    struct run run = {false};
    check_callable(L);
    if (septet_tasks(module->host) > 0)
        return luaL_error(L, "septet.run: called while a run is under way; in a task, call the "
                             "function itself");
    lua_State *main = septet_lua(module->host);
    int nargs = lua_gettop(L) - 1;
    lua_newtable(L);
    lua_insert(L, 1); // stack: table, fn, arguments...
    lua_pushlightuserdata(L, &run);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, l_main, 2);
    lua_insert(L, 2); // stack: table, main, fn, arguments...
    if (!lua_checkstack(main, nargs + 2))
        return luaL_error(L, "septet.run: %s", septet_strerror(SEPTET_ENOMEM));
    lua_xmove(L, main, nargs + 2);
    module->first_error[0] = '\0';
    int status = septet_spawn(module->host, "main", nargs + 1);
    if (status == SEPTET_OK) {
        bool catches = catch_interrupts(module->host);
        status = septet_run(module->host);
        if (catches)
            restore_interrupts();
    }
    check_end(L, module, &run, status);
    lua_getfield(L, 1, "n");
    int count = (int)lua_tointeger(L, -1);
    luaL_checkstack(L, count, "too many results");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, 1, i);
    return run.failed ? lua_error(L) : count;
}

/* --- the module --- */

/* Ends the host with its state. In the middle of a run, after os.exit(code, true), the host cannot
 * unwind any more: the process ends. */
static int l_end(lua_State *L)
{
    struct module *module = lua_touserdata(L, 1);
    septet_host *host = module->host;
    module->host = NULL;
    septet_free(host);
    return 0;
}

typedef int raise_function(lua_State *L, const char *format, ...);

/* Returns luaL_error of the Lua that requires the module, if it is not a 5.4; NULL if it is. The
 * library brings a Lua 5.4 of its own, which the linker takes for what the program's Lua lacks, or
 * has under another version. So functions from two files are a sign of another Lua. */
static raise_function *foreign_raise(lua_State *L)
{
    Dl_info old, newer;
    union {
        void *address;
        raise_function *function;
    } first = {dlsym(RTLD_DEFAULT, "luaL_error")}, ours = {.function = luaL_error};
    bool is_ours = first.address == ours.address && dladdr(ours.address, &old) &&
                   dladdr((void *)(uintptr_t)lua_closeslot, &newer) &&
                   old.dli_fbase == newer.dli_fbase && (int)lua_version(L) == LUA_VERSION_NUM;
    return is_ours ? NULL : first.function;
}

static void make_host(lua_State *L, struct module *module)
{
    septet_config config;
    int status;
    septet_config_init(&config);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    config.lua = lua_tothread(L, -1);
    lua_pop(L, 1);
    config.ud = module;
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.processes = 1;
    module->host = septet_new(&config, &status);
    if (status == SEPTET_EINVAL)
        luaL_error(L, "cannot make a septet host: the state has one already");
    if (module->host == NULL)
        luaL_error(L, "cannot make a septet host: %s", septet_strerror(status));
}

SEPTET_API int luaopen_septet(lua_State *L);

/* Its address is the key in the registry of the module's userdata. That has the loader of the
 * host's module as its value. */
static const char key = 0;

/* Pushes the module's userdata, which lives as long as the state. */
static void push_module(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    struct module *module = lua_newuserdatauv(L, sizeof *module, 1);
    memset(module, 0, sizeof *module);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_end);
    lua_setfield(L, -2, "__gc");
    make_host(L, module);
    lua_setmetatable(L, -2); /* before what the host has made, because finalizers run in reverse */
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_getfield(L, -1, "septet");
    lua_setiuservalue(L, -3, 1);
    lua_pushcfunction(L, luaopen_septet); /* a script may require it again */
    lua_setfield(L, -2, "septet");
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

int luaopen_septet(lua_State *L)
{
    raise_function *raise = foreign_raise(L);
    if (raise != NULL)
        return raise(L, "septet needs " LUA_VERSION ", and another Lua requires it");
    push_module(L);
    lua_getiuservalue(L, -1, 1);
    lua_pushliteral(L, "septet");
    lua_call(L, 1, 1); // stack: ..., the module's userdata, the host's module
    lua_insert(L, -2);
    lua_pushcclosure(L, l_run, 1);
    lua_setfield(L, -2, "run");
    return 1;
}
