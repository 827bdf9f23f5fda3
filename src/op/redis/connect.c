/* SPDX-License-Identifier: MIT */
/* redis_connect: makes a connection to a Redis server. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "dns/resolvers.h"
#include "http/driver.h"
#include "http/hostname.h"
#include "loop/stream.h"
#include "op/census.h"
#include "op/dial_wait.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/library.h"
#include "op/openers.h"
#include "op/redis/connection.h"
#include "op/redis/openers.h"

/* The stack of l_connect. */
enum { HOST = 1, PORT, PATH, TIMEOUT, SILENCE, REPLY_MAX, SECURE, NAME, HANDLE };

#define REQUEST_MAX ((size_t)1 << 30)

/* --- the operation --- */

static struct spt_redis_handle *handle_of(const struct spt_dial_wait *wait)
{
    return SPT_OF(wait->dialled, struct spt_redis_handle, dialled);
}

static int take_stream(struct spt_dial_wait *wait, struct spt_stream *stream)
{
    struct spt_redis_handle *handle = handle_of(wait);
    handle->redis = spt_redis_new(wait->env->loop, &spt_op_sched(&wait->op)->tree.timers, stream,
                                  &handle->limits);
    if (!handle->redis)
        return SEPTET_ENOMEM;
    spt_env_add(wait->env, &handle->resource);
    return handle->secure ? spt_redis_secure(handle->redis, wait->to) : SEPTET_OK;
}

static int connect_push(septet_op *op, lua_State *L)
{
    static const struct spt_census_kind kind = {"a connection to Redis", NULL};
    const struct spt_dial_wait *wait = (const struct spt_dial_wait *)op;
    const struct spt_dial_failure *failure = &wait->dialled->failure;
    char words[160];
    if (op->status < 0)
        return spt_redis_push_failure(L, "memory", "not enough memory");
    if (handle_of(wait)->redis) {
        spt_census_note(L, wait->env, &handle_of(wait)->resource, &kind);
        lua_pushvalue(L, HANDLE);
        return 1;
    }
    if (!failure->code) {
        uv_strerror_r(failure->error, words, sizeof words);
        return spt_redis_push_failure(L, "unreachable", words);
    }
    if (strcmp(failure->code, "timeout") == 0)
        snprintf(words, sizeof words, "no connection after %.6g s",
                 spt_time_seconds(wait->timeout_ns));
    else if (strcmp(failure->code, "denied") == 0)
        snprintf(words, sizeof words, "denied by the embedder");
    else
        snprintf(words, sizeof words, "%s",
                 failure->text && *failure->text ? failure->text : "the name has no address");
    return spt_redis_push_failure(L, failure->code, words);
}

static void connect_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", handle_of((const struct spt_dial_wait *)op)->name);
}

static const septet_op_type connect_type = {
    .name = "redis",
    .size = sizeof(struct spt_dial_wait),
    .flags = SEPTET_OP_EXTERNAL,
    .start = spt_dial_wait_start,
    .cancel = spt_dial_wait_cancel,
    .push = connect_push,
    .describe = connect_describe,
};

/* --- the handle --- */

static struct spt_redis_handle *push_handle(lua_State *L)
{
    struct spt_redis_handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
    memset(handle, 0, sizeof *handle);
    handle->name = lua_tostring(L, NAME);
    handle->limits.silence_ns = spt_check_seconds(L, SILENCE);
    handle->limits.request_max = REQUEST_MAX;
    handle->limits.reply_max = (size_t)spt_check_count(L, REPLY_MAX, 1);
    spt_redis_handle_init(handle);
    lua_pushvalue(L, NAME);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SPT_REDIS_META);
    return handle;
}

/* Replaces the host by its normal form. Returns why it is none, or NULL. */
static const char *read_host(lua_State *L)
{
    struct spt_hostname host;
    const char *wrong = spt_dial_wait_host(L, HOST, &host);
    if (wrong)
        return wrong;
    lua_pushlstring(L, host.text, host.len);
    lua_replace(L, HOST);
    return NULL;
}

/* redis_connect(host, port, path, timeout, silence, reply_max, tls): returns a connection, or nil,
 * a code and words. Either `host` or `path` is nil. `timeout` is that of connecting, and `silence`
 * ends a connection on which the server answers nothing, both in seconds. `reply_max` is the size
 * of the largest reply, in bytes. With `tls`, the server must have a certificate for the host. */
static int l_connect(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_settop(L, SECURE);
    const bool is_path = lua_isnil(L, HOST);
    const bool secure = !is_path && lua_toboolean(L, SECURE);
    spt_library_need(L, SPT_NEEDS_REDIS | (secure ? SPT_NEEDS_TLS : 0u) |
                            (is_path ? 0u : SPT_NEEDS_DNS));
    const char *wrong = is_path ? NULL : read_host(L);
    if (wrong)
        return spt_redis_push_failure(L, "unreachable", wrong);
    if (is_path) {
        const char *path = spt_check_string(L, PATH, NULL);
        if (!spt_gate_permits(env, SEPTET_PERMIT_WRITE, path))
            return spt_redis_push_failure(L, "denied", "denied by the embedder");
        lua_pushvalue(L, PATH);
    } else {
        lua_pushfstring(L, "%s:%d", lua_tostring(L, HOST), (int)spt_check_count(L, PORT, 1));
    }
    struct spt_redis_handle *handle = push_handle(L);
    handle->secure = secure;
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    struct spt_resolver *resolver =
        is_path ? NULL : spt_resolvers_get(spt_driver_resolvers(env->driver), NULL);
    if (!is_path && !resolver)
        return spt_error_no_memory(L);
    struct spt_dial_wait *wait = (struct spt_dial_wait *)spt_op_new(L, env->sched, &connect_type);
    wait->env = env;
    wait->dialled = &handle->dialled;
    wait->take = take_stream;
    wait->resolver = resolver;
    wait->to = lua_tostring(L, is_path ? PATH : HOST);
    wait->is_path = is_path;
    wait->port = is_path ? 0 : (int)lua_tointeger(L, PORT);
    wait->timeout_ns = spt_check_seconds(L, TIMEOUT);
    return septet_op_await(L, &wait->op);
}

void spt_open_redis(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"redis_connect", l_connect}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
    spt_open_redis_command(L, env);
}
