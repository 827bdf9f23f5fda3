/* SPDX-License-Identifier: MIT */
/* thread_new and thread_wait: what a thread gets is copied first, and the wait for it may begin
 * later. */
#include "op/thread/work.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/job.h"
#include "op/openers.h"
#include "op/thread/state.h"

#define META "septet.thread"

#define PERMIT "task.thread" /* the subject of the permission */

/* Made by thread_new. Owns the thread until thread_wait. */
struct handle {
    struct spt_thread *thread;
};

static void run(struct spt_job *job)
{
    spt_state_run(SPT_OF(job, struct spt_thread, job));
}

static void release(struct spt_job *job)
{
    struct spt_thread *t = SPT_OF(job, struct spt_thread, job);
    spt_buf_release(&t->code);
    spt_buf_release(&t->values);
    spt_buf_release(&t->traceback);
    free(t->path);
    free(t);
}

static void describe(const struct spt_job *job, char *text, size_t size)
{
    snprintf(text, size, "%s", SPT_OF(job, const struct spt_thread, job)->where);
}

static const struct spt_job_type thread_job_type = {run, release, describe};
static const septet_op_type thread_type = SPT_JOB_WAIT_TYPE("thread");

/* --- the function --- */

static int add_code(lua_State *L, const void *bytes, size_t n, void *ud)
{
    return spt_buf_append(ud, bytes, n) != SEPTET_OK;
}

/* Checks that the function at `index` refers to nothing but globals. */
static void check_function(lua_State *L, int index)
{
    const char *name;
    if (lua_type(L, index) != LUA_TFUNCTION || lua_iscfunction(L, index))
        spt_error_usage(L, "bad argument #1 to 'thread' (a function in Lua expected, got %s)",
                        lua_iscfunction(L, index) ? "one in C" : luaL_typename(L, index));
    for (int i = 1; (name = lua_getupvalue(L, index, i)); i++) {
        bool is_table = lua_istable(L, -1);
        lua_pop(L, 1);
        if (strcmp(name, "_ENV") != 0 && strcmp(name, "(no name)") != 0)
            spt_error_usage(L,
                            "bad argument #1 to 'thread' (its function uses '%s' of the code "
                            "around it, and has a state of its own: pass it as an argument)",
                            name);
        if (i > 1 || !is_table)
            spt_error_usage(L, "bad argument #1 to 'thread' (its function uses variables of the "
                               "code around it: pass them as arguments)");
    }
}

static void dump_function(lua_State *L, int index, struct spt_thread *t)
{
    lua_Debug ar;
    lua_pushvalue(L, index);
    if (lua_dump(L, add_code, &t->code, 0) != 0)
        spt_error_no_memory(L);
    lua_getinfo(L, ">S", &ar);
    snprintf(t->where, sizeof t->where, "%s:%d", ar.short_src, ar.linedefined);
}

/* --- the thread --- */

static struct spt_thread *new_thread(lua_State *L, const struct spt_env *env, lua_Integer memory)
{
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->thread = NULL;
    luaL_setmetatable(L, META);
    struct spt_thread *t = handle->thread = calloc(1, sizeof *t);
    if (!t)
        spt_error_no_memory(L);
    size_t host = env->config ? env->config->limits.memory : 0;
    t->job.type = &thread_job_type;
    t->max_memory = (size_t)memory;
    if (host > 0 && (memory == 0 || (size_t)memory > host))
        t->max_memory = host;
    t->is_trusted = !env->is_standard;
    t->prints = t->is_trusted && !(env->config && env->config->on_print);
    spt_buf_init(&t->code, SIZE_MAX);
    spt_buf_init(&t->values, SIZE_MAX);
    spt_buf_init(&t->traceback, 1 << 20);
    return t;
}

/* Copies package.path of the state. */
static void copy_path(lua_State *L, struct spt_thread *t)
{
    const char *path = NULL;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
        lua_pushliteral(L, "path");
        lua_rawget(L, -2);
        path = lua_tostring(L, -1);
        lua_replace(L, -2);
    }
    t->path = strdup(path ? path : "");
    lua_pop(L, 2);
    if (!t->path)
        spt_error_no_memory(L);
}

static void check_arguments(lua_State *L, int first, struct spt_thread *t)
{
    const struct spt_pack_refusal *why = &t->refusal;
    int rc = spt_pack_values(L, first, &t->values, &t->refusal);
    if (rc == SEPTET_ENOMEM)
        spt_error_no_memory(L);
    if (rc != SEPTET_OK)
        spt_error_usage(L, "argument %d of a thread's function %s %s%s, which cannot be copied",
                        why->value, *why->at ? "has" : "is", why->what,
                        *why->at ? lua_pushfstring(L, " at '%s'", why->at) : "");
}

/* thread_new(memory, fn, ...): returns a thread that is to call fn(...) in a state of its own, of
 * at most so many bytes; 0 for no limit. Raises Usage for what cannot be copied, and IoError if
 * the embedder does not permit it. */
static int l_thread_new(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_Integer memory = luaL_checkinteger(L, 1);
    check_function(L, 2);
    spt_gate_check(L, env, SEPTET_PERMIT_RUN, "run", PERMIT);
    luaL_checkstack(L, 12, NULL);
    struct spt_thread *t = new_thread(L, env, memory);
    lua_insert(L, 1);
    dump_function(L, 3, t);
    copy_path(L, t);
    check_arguments(L, 4, t);
    lua_settop(L, 1);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, META);
    struct spt_thread *t = handle->thread;
    handle->thread = NULL;
    if (t)
        release(&t->job);
    return 0;
}

/* --- the wait --- */

static const char *const outcomes[] = {
    [SPT_THREAD_RETURNED] = "returned",     [SPT_THREAD_FAILED] = "failed",
    [SPT_THREAD_UNCOPIABLE] = "uncopiable", [SPT_THREAD_BAD_RESULT] = "result",
    [SPT_THREAD_NO_MEMORY] = "memory",
};

static int push(lua_State *L, struct spt_job *job)
{
    const struct spt_thread *t = SPT_OF(job, const struct spt_thread, job);
    enum spt_thread_outcome outcome = job->error ? SPT_THREAD_NO_MEMORY : t->outcome;
    lua_pushstring(L, outcomes[outcome]);
    switch (outcome) {
    case SPT_THREAD_RETURNED:
        return 1 + spt_pack_push(L, &t->values);
    case SPT_THREAD_FAILED:
    case SPT_THREAD_UNCOPIABLE:
        spt_pack_push(L, &t->values);
        lua_pushlstring(L, t->traceback.data ? t->traceback.data : "", t->traceback.len);
        return 3;
    case SPT_THREAD_BAD_RESULT:
        lua_pushinteger(L, t->refusal.value);
        lua_pushstring(L, t->refusal.what);
        lua_pushstring(L, t->refusal.at);
        return 4;
    case SPT_THREAD_NO_MEMORY:
        lua_pushinteger(L, (lua_Integer)t->max_memory);
        return 2;
    }
    return 1;
}

/* thread_wait(thread): runs it and waits for its end. Returns "returned" and the results; "failed",
 * the error and its traceback; "uncopiable", the text of the error and its traceback; "result" and
 * why that cannot be copied; or "memory" and the limit. */
static int l_thread_wait(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct handle *handle = luaL_checkudata(L, 1, META);
    struct spt_thread *t = handle->thread;
    if (!t)
        return spt_error_usage(L, "the thread has run");
    struct spt_job_wait *wait = spt_job_wait_new(L, env, &thread_type, push);
    handle->thread = NULL;
    return spt_job_await(L, wait, &t->job);
}

/* thread_places(): returns how many threads may run at once: all of the pool but one, which remains
 * for files and names. */
static int l_thread_places(lua_State *L)
{
    const char *text = getenv("UV_THREADPOOL_SIZE");
    int n = text ? atoi(text) : 4; /* as libuv reads it */
    n = n < 1 ? 1 : n > 1024 ? 1024 : n;
    lua_pushinteger(L, n > 1 ? n - 1 : 1);
    return 1;
}

static const luaL_Reg functions[] = {{"thread_new", l_thread_new},
                                     {"thread_wait", l_thread_wait},
                                     {"thread_places", l_thread_places},
                                     {NULL, NULL}};

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};

void spt_open_thread(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
