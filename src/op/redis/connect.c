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
#include "core/task.h"
#include "dns/resolvers.h"
#include "http/driver.h"
#include "http/hostname.h"
#include "http/permit.h"
#include "loop/stream.h"
#include "net/dial.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/openers.h"
#include "op/redis/connection.h"
#include "op/redis/openers.h"

/* The stack of l_connect. */
enum { HOST = 1, PORT, PATH, TIMEOUT, SILENCE, REPLY_MAX, SECURE, NAME, HANDLE };

#define REQUEST_MAX ((size_t)1 << 30)

struct connect_op {
    septet_op op;
    struct spt_env *env;
    struct spt_redis_handle *handle; /* kept alive by the stack, as all texts */
    struct spt_resolver *resolver;   /* NULL for a path */
    const char *host, *path;         /* one of them is NULL */
    uint64_t timeout_ns;
    int port;
};
_Static_assert(sizeof(struct connect_op) <= SPT_SLOT_SIZE,
               "it needs no memory of Lua's to wait in");

/* --- the operation --- */

static void take_result(struct connect_op *connect)
{
    struct spt_redis_handle *handle = connect->handle;
    struct spt_stream *stream = spt_dial_take(handle->dial);
    int status = SEPTET_OK;
    handle->failure = *spt_dial_failure(handle->dial);
    if (stream) {
        handle->redis = spt_redis_new(connect->env->loop, &spt_op_sched(&connect->op)->tree.timers,
                                      stream, &handle->limits);
        status = handle->redis ? SEPTET_OK : SEPTET_ENOMEM;
        if (handle->redis)
            spt_env_add(connect->env, &handle->resource);
        if (handle->redis && handle->secure)
            status = spt_redis_secure(handle->redis, connect->host);
    }
    spt_dial_free(handle->dial);
    handle->dial = NULL;
    septet_op_done(&connect->op, status);
}

static void on_done(void *ud)
{
    take_result(ud);
}

static int connect_start(septet_op *op)
{
    struct connect_op *connect = (struct connect_op *)op;
    struct spt_sched *s = spt_op_sched(op);
    struct spt_redis_handle *handle = connect->handle;
    const struct spt_dial_config config = {
        .loop = connect->env->loop,
        .timers = &s->tree.timers,
        .resolver = connect->resolver,
        .permit = spt_driver_permit(connect->env->driver),
        .host = connect->host,
        .port = connect->port,
        .path = connect->path,
        .deadline_ns = spt_timer_instant(spt_sched_clock(s), connect->timeout_ns)};
    handle->dial = spt_dial_new(&config);
    if (!handle->dial)
        return SEPTET_ENOMEM;
    if (spt_dial_start(handle->dial, on_done, connect))
        take_result(connect);
    return SEPTET_OK;
}

static void connect_cancel(septet_op *op)
{
    struct spt_redis_handle *handle = ((struct connect_op *)op)->handle;
    spt_dial_free(handle->dial);
    handle->dial = NULL;
}

static int push_failure(lua_State *L, const char *code, const char *words)
{
    lua_pushnil(L);
    lua_pushstring(L, code);
    lua_pushstring(L, words);
    return 3;
}

static int connect_push(septet_op *op, lua_State *L)
{
    const struct connect_op *connect = (const struct connect_op *)op;
    const struct spt_dial_failure *failure = &connect->handle->failure;
    char words[160];
    if (op->status < 0)
        return push_failure(L, "memory", "not enough memory");
    if (connect->handle->redis) {
        lua_pushvalue(L, HANDLE);
        return 1;
    }
    if (!failure->code) {
        uv_strerror_r(failure->error, words, sizeof words);
        return push_failure(L, "unreachable", words);
    }
    if (strcmp(failure->code, "timeout") == 0)
        snprintf(words, sizeof words, "no connection after %.6g s",
                 spt_time_seconds(connect->timeout_ns));
    else if (strcmp(failure->code, "denied") == 0)
        snprintf(words, sizeof words, "denied by the embedder");
    else
        snprintf(words, sizeof words, "%s",
                 failure->text && *failure->text ? failure->text : "the name has no address");
    return push_failure(L, failure->code, words);
}

static void connect_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "'%s'", ((const struct connect_op *)op)->handle->name);
}

static const septet_op_type connect_type = {
    .name = "redis",
    .size = sizeof(struct connect_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = connect_start,
    .cancel = connect_cancel,
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
    size_t len;
    const char *text = spt_check_string(L, HOST, &len);
    if (memchr(text, ':', len) && text[0] != '[') {
        lua_pushfstring(L, "[%s]", text);
        lua_replace(L, HOST);
        text = lua_tolstring(L, HOST, &len);
    }
    const char *wrong = spt_hostname_read(&host, text, len);
    if (wrong)
        return wrong;
    lua_pushlstring(L, host.text, host.len);
    lua_replace(L, HOST);
    return NULL;
}

/* redis_connect(host, port, path, timeout, silence, reply_max, tls): returns a connection, or nil,
 * a code and words. Either `host` or `path` is nil. `timeout` is that of connecting, and `silence`
 * ends a connection on which the server answers nothing, both in seconds. `reply_max` is the size
 * of the largest reply, in bytes. With `tls`, the server has a certificate for the host. */
static int l_connect(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_settop(L, SECURE);
    const bool is_path = lua_isnil(L, HOST);
    const char *wrong = is_path ? NULL : read_host(L);
    if (wrong)
        return push_failure(L, "unreachable", wrong);
    if (is_path) {
        const char *path = spt_check_string(L, PATH, NULL);
        if (!spt_gate_permits(env, SEPTET_PERMIT_WRITE, path))
            return push_failure(L, "denied", "denied by the embedder");
        lua_pushvalue(L, PATH);
    } else {
        lua_pushfstring(L, "%s:%d", lua_tostring(L, HOST), (int)spt_check_count(L, PORT, 1));
    }
    struct spt_redis_handle *handle = push_handle(L);
    handle->secure = !is_path && lua_toboolean(L, SECURE);
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    struct spt_resolver *resolver =
        is_path ? NULL : spt_resolvers_get(spt_driver_resolvers(env->driver), NULL);
    if (!is_path && !resolver)
        return spt_error_no_memory(L);
    struct connect_op *connect = (struct connect_op *)spt_op_new(L, env->sched, &connect_type);
    connect->env = env;
    connect->handle = handle;
    connect->resolver = resolver;
    connect->host = is_path ? NULL : lua_tostring(L, HOST);
    connect->port = is_path ? 0 : (int)lua_tointeger(L, PORT);
    connect->path = is_path ? lua_tostring(L, PATH) : NULL;
    connect->timeout_ns = spt_check_seconds(L, TIMEOUT);
    return septet_op_await(L, &connect->op);
}

void spt_open_redis(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"redis_connect", l_connect}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
    spt_open_redis_command(L, env);
}
