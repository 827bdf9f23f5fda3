/* SPDX-License-Identifier: MIT */
/* net_connect: makes a connection. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

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
#include "net/dial.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/net/connection.h"
#include "op/net/openers.h"
#include "op/net/policy.h"
#include "op/openers.h"

/* The stack of l_connect. */
enum { HOST = 1, PORT, PATH, TIMEOUT, MAX_LINE, POLICY, RESOLVER, NAME, CONNECTION };

struct connect_op {
    septet_op op;
    struct spt_env *env;
    struct spt_connection *connection; /* kept alive by the stack, as all texts */
    struct spt_resolver *resolver;     /* NULL for a path */
    const struct spt_policy *policy;
    const char *host, *path; /* one of them is NULL */
    uint64_t timeout_ns;
    int port;
};
_Static_assert(sizeof(struct connect_op) <= SPT_SLOT_SIZE,
               "it needs no memory of Lua's to wait in");

/* --- the operation --- */

/* Moves what the dial has made to the connection, which the host closes at its end. */
static void take_result(struct connect_op *connect)
{
    struct spt_connection *c = connect->connection;
    struct spt_stream *stream = spt_dial_take(c->dial);
    c->failure = *spt_dial_failure(c->dial);
    if (stream)
        spt_connection_attach(c, connect->env, stream);
    spt_dial_free(c->dial);
    c->dial = NULL;
    septet_op_done(&connect->op, SEPTET_OK);
}

static void on_done(void *ud)
{
    take_result(ud);
}

static int connect_start(septet_op *op)
{
    struct connect_op *connect = (struct connect_op *)op;
    struct spt_sched *s = spt_op_sched(op);
    struct spt_connection *c = connect->connection;
    const struct spt_dial_config config = {
        .loop = connect->env->loop,
        .timers = &s->tree.timers,
        .resolver = connect->resolver,
        .permit = spt_driver_permit(connect->env->driver),
        .policy = connect->policy,
        .host = connect->host,
        .port = connect->port,
        .path = connect->path,
        .deadline_ns = spt_timer_instant(spt_sched_clock(s), connect->timeout_ns)};
    c->dial = spt_dial_new(&config);
    if (!c->dial)
        return SEPTET_ENOMEM;
    if (spt_dial_start(c->dial, on_done, connect))
        take_result(connect);
    return SEPTET_OK;
}

static void connect_cancel(septet_op *op)
{
    struct spt_connection *c = ((struct connect_op *)op)->connection;
    spt_dial_free(c->dial);
    c->dial = NULL;
}

/* --- errors --- */

/* Raises IoError with a code of its own. */
static int raise_code(lua_State *L, const struct spt_reader *reader, const char *code,
                      const char *reason, const char *words)
{
    spt_error_push(L, "IoError", "cannot connect to '%s': %s", reader->path, words);
    if (reason) {
        lua_pushstring(L, reason);
        lua_setfield(L, -2, "reason");
    }
    return spt_reader_raise(L, reader, "connect", code);
}

static int raise_failure(lua_State *L, const struct connect_op *connect)
{
    const struct spt_reader *reader = &connect->connection->handle.reader;
    const struct spt_dial_failure *failure = &connect->connection->failure;
    char words[160], code[32];
    if (!failure->code) {
        uv_err_name_r(failure->error, code, sizeof code);
        uv_strerror_r(failure->error, words, sizeof words);
        return raise_code(L, reader, code, NULL, words);
    }
    const char *text = failure->text ? failure->text : "";
    if (strcmp(failure->code, "dns") == 0)
        snprintf(words, sizeof words, "%s", *text ? text : "the name has no address");
    else if (strcmp(failure->code, "timeout") == 0)
        snprintf(words, sizeof words, "timed out after %.6g s",
                 spt_time_seconds(connect->timeout_ns));
    else if (strcmp(failure->reason, SPT_DENIED_BY_EMBEDDER) == 0)
        snprintf(words, sizeof words, "denied by the embedder");
    else if (*text)
        snprintf(words, sizeof words, "denied by the rule '%s'", text);
    else
        snprintf(words, sizeof words, "no rule allows it");
    return raise_code(L, reader, failure->code, failure->reason, words);
}

static int connect_push(septet_op *op, lua_State *L)
{
    const struct connect_op *connect = (const struct connect_op *)op;
    struct spt_connection *c = connect->connection;
    if (op->status < 0)
        return raise_code(L, &c->handle.reader, "ENOMEM", NULL, "not enough memory");
    if (!c->handle.reader.input)
        return raise_failure(L, connect);
    lua_pushvalue(L, CONNECTION);
    return 1;
}

static void connect_describe(const septet_op *op, char *text, size_t size)
{
    const struct connect_op *connect = (const struct connect_op *)op;
    snprintf(text, size, "'%s'", connect->connection->handle.reader.path);
}

static const septet_op_type connect_type = {
    .name = "connect",
    .size = sizeof(struct connect_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = connect_start,
    .cancel = connect_cancel,
    .push = connect_push,
    .describe = connect_describe,
};

/* --- arguments --- */

/* Reads a host, which may be an IPv6 address without brackets. Replaces it by its normal form, and
 * pushes the name of the connection. */
static const char *read_host(lua_State *L, struct spt_hostname *host)
{
    size_t len;
    const char *text = spt_check_string(L, HOST, &len);
    if (memchr(text, ':', len) && text[0] != '[') {
        lua_pushfstring(L, "[%s]", text);
        lua_replace(L, HOST);
        text = lua_tolstring(L, HOST, &len);
    }
    const char *wrong = spt_hostname_read(host, text, len);
    lua_pushfstring(L, "%s:%d", text, (int)lua_tointeger(L, PORT));
    return wrong;
}

/* Returns the resolver that the script asked for. Raises IoError if the embedder denies it. */
static struct spt_resolver *check_resolver(lua_State *L, struct spt_env *env,
                                           const struct spt_reader *reader)
{
    const char *servers = lua_isnil(L, RESOLVER) ? NULL : spt_check_string(L, RESOLVER, NULL);
    if (servers && spt_permit_servers(spt_driver_permit(env->driver), servers))
        raise_code(L, reader, "denied", SPT_DENIED_BY_EMBEDDER, "its DNS server is denied");
    struct spt_resolver *resolver = spt_resolvers_get(spt_driver_resolvers(env->driver), servers);
    if (!resolver)
        luaL_error(L, "not enough memory");
    return resolver;
}

/* net_connect(host, port, path, timeout, max_line, policy, resolver): returns a connection, or
 * raises IoError. Either `host` or `path` is nil. `timeout` is in seconds and may be nil, which
 * stands for 10 seconds for connecting, and none for what follows. */
static int l_connect(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_hostname host;
    lua_settop(L, RESOLVER);
    const bool is_path = lua_isnil(L, HOST);
    const struct spt_connection_limits limits = {
        .max_line = (size_t)spt_check_count(L, MAX_LINE, 1),
        .timeout_ns = spt_check_opt_seconds(L, TIMEOUT, SPT_NEVER)};
    const char *wrong = is_path ? NULL : read_host(L, &host);
    if (is_path) {
        spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "connect to", spt_check_string(L, PATH, NULL));
        lua_pushvalue(L, PATH);
    }
    struct spt_connection *c = spt_connection_push(L, NAME, is_path ? "path" : "address", &limits);
    if (wrong)
        return raise_code(L, &c->handle.reader, "host", wrong, "invalid host");
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    struct spt_resolver *resolver = is_path ? NULL : check_resolver(L, env, &c->handle.reader);
    if (!is_path) {
        lua_pushlstring(L, host.text, host.len);
        lua_replace(L, HOST);
    }
    struct connect_op *connect = (struct connect_op *)spt_op_new(L, env->sched, &connect_type);
    connect->env = env;
    connect->connection = c;
    connect->resolver = resolver;
    connect->policy = spt_net_policy_check(L, POLICY);
    connect->host = is_path ? NULL : lua_tostring(L, HOST);
    connect->port = (int)lua_tointeger(L, PORT);
    connect->path = is_path ? lua_tostring(L, PATH) : NULL;
    connect->timeout_ns = lua_isnil(L, TIMEOUT) ? 10 * SPT_NS_PER_SECOND : limits.timeout_ns;
    return septet_op_await(L, &connect->op);
}

void spt_open_net(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"net_connect", l_connect}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
    spt_open_net_connection(L, env);
    spt_open_net_policy(L, env);
    spt_open_net_server(L, env);
}
