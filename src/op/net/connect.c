/* SPDX-License-Identifier: MIT */
/* net_connect: makes a connection. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "dns/resolvers.h"
#include "http/driver.h"
#include "http/hostname.h"
#include "http/permit.h"
#include "op/dial_wait.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/library.h"
#include "op/net/connection.h"
#include "op/net/openers.h"
#include "op/net/policy.h"
#include "op/openers.h"

/* The stack of l_connect. */
enum { HOST = 1, PORT, PATH, TIMEOUT, MAX_LINE, POLICY, RESOLVER, NAME, CONNECTION };

static struct spt_connection *connection_of(const struct spt_dial_wait *wait)
{
    return SPT_OF(wait->dialled, struct spt_connection, dialled);
}

static int take_stream(struct spt_dial_wait *wait, struct spt_stream *stream)
{
    spt_connection_attach(connection_of(wait), wait->env, stream);
    return SEPTET_OK;
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

static int raise_failure(lua_State *L, const struct spt_dial_wait *wait)
{
    const struct spt_reader *reader = &connection_of(wait)->handle.reader;
    const struct spt_dial_failure *failure = &wait->dialled->failure;
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
        snprintf(words, sizeof words, "timed out after %.6g s", spt_time_seconds(wait->timeout_ns));
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
    const struct spt_dial_wait *wait = (const struct spt_dial_wait *)op;
    struct spt_connection *c = connection_of(wait);
    if (op->status < 0)
        return raise_code(L, &c->handle.reader, "ENOMEM", NULL, "not enough memory");
    if (!c->handle.reader.input)
        return raise_failure(L, wait);
    spt_connection_note(L, wait->env, c);
    lua_pushvalue(L, CONNECTION);
    return 1;
}

static void connect_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_connection *c = connection_of((const struct spt_dial_wait *)op);
    snprintf(text, size, "'%s'", c->handle.reader.path);
}

static const septet_op_type connect_type = {
    .name = "connect",
    .size = sizeof(struct spt_dial_wait),
    .flags = SEPTET_OP_EXTERNAL,
    .start = spt_dial_wait_start,
    .cancel = spt_dial_wait_cancel,
    .push = connect_push,
    .describe = connect_describe,
};

/* --- arguments --- */

/* Returns the resolver that the script asked for. Raises IoError if the embedder denies it. */
static struct spt_resolver *check_resolver(lua_State *L, struct spt_env *env,
                                           const struct spt_reader *reader)
{
    const char *servers = lua_isnil(L, RESOLVER) ? NULL : spt_check_string(L, RESOLVER, NULL);
    if (servers && spt_permit_servers(spt_driver_permit(env->driver), servers))
        raise_code(L, reader, "denied", SPT_DENIED_BY_EMBEDDER, "its DNS server is denied");
    spt_library_need(L, SPT_NEEDS_DNS);
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
    const char *wrong = is_path ? NULL : spt_dial_wait_host(L, HOST, &host);
    if (is_path) {
        spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "connect to", spt_check_string(L, PATH, NULL));
        lua_pushvalue(L, PATH);
    } else {
        lua_pushfstring(L, "%s:%d", lua_tostring(L, HOST), (int)lua_tointeger(L, PORT));
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
    struct spt_dial_wait *wait = (struct spt_dial_wait *)spt_op_new(L, env->sched, &connect_type);
    wait->env = env;
    wait->dialled = &c->dialled;
    wait->take = take_stream;
    wait->resolver = resolver;
    wait->policy = spt_net_policy_check(L, POLICY);
    wait->to = lua_tostring(L, is_path ? PATH : HOST);
    wait->is_path = is_path;
    wait->port = (int)lua_tointeger(L, PORT);
    wait->timeout_ns = lua_isnil(L, TIMEOUT) ? 10 * SPT_NS_PER_SECOND : limits.timeout_ns;
    return septet_op_await(L, &wait->op);
}

void spt_open_net(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"net_connect", l_connect}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
    spt_open_net_connection(L, env);
    spt_open_net_policy(L, env);
    spt_open_net_server(L, env);
}
