/* SPDX-License-Identifier: MIT */
/* Calls a callback in a C function that lua_pcall runs on the main thread. An embedder that raises
 * an error does so on that thread, whatever coroutine is running. */
#include "op/gate.h"

#include <lauxlib.h>
#include <stdio.h>

#include "core/error.h"
#include "core/sched.h"
#include "op/env.h"
#include "op/io_error.h"
#include "op/openers.h"

/* A call of one of the callbacks. */
struct call {
    const septet_config *config;
    const char *text; /* the subject, the text or the name */
    size_t length;
    int what;
    septet_source *source;
    int result;
};

/* Runs `fn` with the call, protected. Returns false if it raised an error, of which it warns. */
static bool protect(struct spt_env *env, lua_CFunction fn, struct call *call, const char *name)
{
    lua_State *main = env->sched->main;
    if (!lua_checkstack(main, 4))
        return false;
    lua_pushcfunction(main, fn);
    lua_pushlightuserdata(main, call);
    ++*env->callbacks;
    int status = lua_pcall(main, 1, 0, 0);
    --*env->callbacks;
    if (status == LUA_OK)
        return true;
    const char *message = lua_tostring(main, -1);
    char warning[512];
    lua_Unsigned length = lua_rawlen(main, -1);
    snprintf(warning, sizeof warning, "%s failed: %.*s", name, (int)(length < 400 ? length : 400),
             message ? message : "an error that is no text");
    lua_pop(main, 1);
    env->sched->hooks.warn(env->sched->hooks.ud, warning);
    return false;
}

/* --- permissions --- */

static int call_permit(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    call->result = call->config->permit(call->config->ud, call->what, call->text);
    return 0;
}

bool spt_gate_permits(struct spt_env *env, int what, const char *subject)
{
    if (!env->config || !env->config->permit)
        return !env->is_standard || what == SEPTET_PERMIT_CONNECT;
    struct call call = {.config = env->config, .what = what, .text = subject};
    return protect(env, call_permit, &call, "permit") && call.result != 0;
}

void spt_gate_check(lua_State *L, struct spt_env *env, int what, const char *verb, const char *path)
{
    if (spt_gate_permits(env, what, path))
        return;
    spt_error_push(L, "IoError", "cannot %s '%s': denied by the host", verb, path);
    const struct spt_io_place place = {.operation = verb, .name = path, .field = "path"};
    spt_io_error_raise_at(L, &place, "denied");
}

/* permits(what, subject): returns true if the embedder lets scripts use `subject`. `what` is
 * "read", "write", "env", "run", "connect", "listen" or "trace". */
static int l_permits(lua_State *L)
{
    static const char *const names[] = {"read",    "write",  "env",   "run",
                                        "connect", "listen", "trace", NULL};
    static const int whats[] = {SEPTET_PERMIT_READ, SEPTET_PERMIT_WRITE,   SEPTET_PERMIT_ENV,
                                SEPTET_PERMIT_RUN,  SEPTET_PERMIT_CONNECT, SEPTET_PERMIT_LISTEN,
                                SEPTET_PERMIT_TRACE};
    int what = whats[luaL_checkoption(L, 1, NULL, names)];
    lua_pushboolean(L, spt_gate_permits(spt_env(L), what, luaL_checkstring(L, 2)));
    return 1;
}

void spt_open_gate(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"permits", l_permits}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}

/* --- texts and modules --- */

static int call_print(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    call->config->on_print(call->config->ud, call->text, call->length);
    return 0;
}

void spt_gate_print(struct spt_env *env, const char *text, size_t length)
{
    struct call call = {.config = env->config, .text = text, .length = length};
    protect(env, call_print, &call, "on_print");
}

static int call_load_module(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    call->result = call->config->load_module(call->config->ud, call->text, call->source);
    return 0;
}

int spt_gate_load_module(struct spt_env *env, const char *name, septet_source *source)
{
    struct call call = {.config = env->config, .text = name, .source = source};
    return protect(env, call_load_module, &call, "load_module") ? call.result : SEPTET_ESCRIPT;
}

static int call_release(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    call->source->release(call->config->ud, call->source);
    return 0;
}

void spt_gate_release(struct spt_env *env, septet_source *source)
{
    struct call call = {.config = env->config, .source = source};
    protect(env, call_release, &call, "the release of a module's source");
}
