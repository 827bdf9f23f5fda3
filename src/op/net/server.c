/* SPDX-License-Identifier: MIT */
/* net_listen, and the servers that it makes: accepts a connection once a task waits for it. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "dns/answer.h"
#include "loop/stream.h"
#include "net/listener.h"
#include "op/census.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/net/connection.h"
#include "op/net/openers.h"

#define SERVER_META "septet.net.server"

struct accept_op;

struct server {
    struct spt_listener *listener; /* owned; NULL once closed */
    struct accept_op *waiting;     /* NULL: no task waits */
    const char *name;              /* kept alive by the user value */
    const char *field;             /* static; of an IoError that has the name: "address", "path" */
    bool starving;                 /* a warning has said so */
    struct spt_connection_limits limits;
    char address[SPT_ADDRESS_TEXT_SIZE]; /* of IP, or the path */
    int port;                            /* 0 for a unix socket */
    struct spt_resource resource;        /* in the env's while it is open */
};

static const struct spt_census_kind census_kind = {"a server", NULL};

struct accept_op {
    septet_op op;
    struct server *server; /* kept alive by the stack */
    struct spt_env *env;
    struct spt_connection *connection; /* kept alive by the stack; gets the stream */
    int error;                         /* libuv's error number */
    bool ends; /* a server that is closed ends an iteration, and is no error */
};

enum { SELF = 1, CONNECTION }; /* the stack of the methods that accept */

static void close_server(struct server *server)
{
    struct spt_listener *listener = server->listener;
    if (!listener)
        return;
    server->listener = NULL;
    spt_link_remove(&server->resource.link);
    spt_listener_free(listener);
}

static void on_host_end(struct spt_resource *resource)
{
    close_server(SPT_OF(resource, struct server, resource));
}

/* --- accepting --- */

/* Warns once that no descriptor is left, until one has been. */
static void note_starving(struct accept_op *accept)
{
    struct server *server = accept->server;
    struct spt_sched *s = spt_op_sched(&accept->op);
    char text[256];
    if (server->starving || !server->listener->starved)
        return;
    server->starving = true;
    snprintf(text, sizeof text,
             "cannot accept a connection on '%s': no file descriptor is left; it waits for one",
             server->name);
    s->hooks.warn(s->hooks.ud, text);
}

/* Gives the connection its stream. Returns 0 or libuv's error number. */
static int take(struct accept_op *accept, int fd)
{
    struct spt_connection *c = accept->connection;
    struct spt_stream *stream;
    int rc = spt_stream_open(&stream, accept->env->loop, fd);
    if (rc != 0)
        return rc;
    accept->server->starving = false;
    spt_connection_attach(c, accept->env, stream);
    spt_listener_add(accept->server->listener, &c->accepted);
    if (c->peer[0])
        c->handle.reader.path = c->peer;
    return 0;
}

static void end(struct accept_op *accept, int status)
{
    accept->server->waiting = NULL;
    septet_op_done(&accept->op, status);
}

static void on_arrival(void *ud)
{
    struct accept_op *accept = ud;
    struct spt_listener *listener = accept->server->listener;
    int fd = spt_listener_accept(listener);
    if (fd == UV_EAGAIN) {
        note_starving(accept);
        accept->error = spt_listener_wait(listener, on_arrival, accept);
        if (accept->error == 0)
            return;
    } else {
        accept->error = fd < 0 ? fd : take(accept, fd);
    }
    end(accept, SEPTET_OK);
}

static int accept_start(septet_op *op)
{
    struct accept_op *accept = (struct accept_op *)op;
    accept->server->waiting = accept;
    on_arrival(accept);
    return SEPTET_OK;
}

static void accept_cancel(septet_op *op)
{
    struct server *server = ((struct accept_op *)op)->server;
    server->waiting = NULL;
    if (server->listener)
        spt_listener_forget(server->listener);
}

static int raise_code(lua_State *L, const struct server *server, const char *code)
{
    const struct spt_io_place place = {
        .operation = "accept", .name = server->name, .field = server->field};
    return spt_io_error_raise_at(L, &place, code);
}

static int accept_push(septet_op *op, lua_State *L)
{
    const struct accept_op *accept = (const struct accept_op *)op;
    const struct server *server = accept->server;
    char code[32], words[128];
    if (op->status == SEPTET_ECLOSED && accept->ends) {
        lua_pushnil(L);
        return 1;
    }
    if (op->status == SEPTET_ECLOSED) {
        spt_error_push(L, "IoError", "the server on '%s' was closed", server->name);
        return raise_code(L, server, "closed");
    }
    if (accept->error) {
        uv_err_name_r(accept->error, code, sizeof code);
        uv_strerror_r(accept->error, words, sizeof words);
        spt_error_push(L, "IoError", "cannot accept a connection on '%s': %s", server->name, words);
        return raise_code(L, server, code);
    }
    spt_connection_note(L, accept->env, accept->connection);
    lua_pushvalue(L, CONNECTION);
    return 1;
}

static void accept_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "on '%s'", ((const struct accept_op *)op)->server->name);
}

static const septet_op_type accept_type = {
    .name = "accept",
    .size = sizeof(struct accept_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = accept_start,
    .cancel = accept_cancel,
    .push = accept_push,
    .describe = accept_describe,
};
_Static_assert(sizeof(struct accept_op) <= SPT_SLOT_SIZE, "it needs no memory of Lua's to wait in");

/* --- methods --- */

static int await_connection(lua_State *L, struct server *server, bool ends)
{
    struct spt_env *env = spt_env(L);
    if (server->waiting)
        return spt_error_usage(L, "another task accepts on '%s'", server->name);
    lua_settop(L, SELF);
    lua_getiuservalue(L, SELF, 1);
    struct spt_connection *c = spt_connection_push(L, 2, server->field, &server->limits);
    lua_replace(L, CONNECTION); /* which keeps the name alive */
    struct accept_op *accept = (struct accept_op *)spt_op_new(L, env->sched, &accept_type);
    accept->server = server;
    accept->env = env;
    accept->connection = c;
    accept->ends = ends;
    return septet_op_await(L, &accept->op);
}

/* server:accept(): waits for a connection. */
static int l_accept(lua_State *L)
{
    spt_check_most(L, 1);
    struct server *server = spt_check_self(L, "server");
    if (!server->listener)
        return spt_error_usage(L, "the server is closed");
    return await_connection(L, server, false);
}

/* The iterator of connections(): ends once the server is closed. The server is the upvalue behind
 * those of the method. Drops what a loop passes. */
static int l_next(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(3));
    struct server *server = spt_check_self(L, "server");
    if (server->listener)
        return await_connection(L, server, true);
    lua_pushnil(L);
    return 1;
}

/* server:connections(): returns an iterator for a loop. */
static int l_connections(lua_State *L)
{
    spt_check_most(L, 1);
    spt_check_self(L, "server");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, l_next, 3);
    return 1;
}

/* server:close(): stops listening. Connections stay open. */
static int l_close(lua_State *L)
{
    struct server *server = spt_check_self(L, "server");
    struct accept_op *accept = server->waiting;
    close_server(server);
    if (accept)
        end(accept, SEPTET_ECLOSED);
    return 0;
}

static int l_close_strictly(lua_State *L)
{
    spt_check_most(L, 1);
    return l_close(L);
}

enum { FIELD_PORT, FIELD_HOST, FIELD_PATH };
static const char *const field_names[] = {"port", "host", "path", NULL};

static void get_field(lua_State *L, int field)
{
    const struct server *server = lua_touserdata(L, 1);
    const bool is_path = strcmp(server->field, "path") == 0;
    if (is_path != (field == FIELD_PATH))
        lua_pushnil(L);
    else if (field == FIELD_PORT)
        lua_pushinteger(L, server->port);
    else /* FIELD_HOST or FIELD_PATH */
        lua_pushstring(L, server->address);
}

static const struct spt_fields_type fields = {
    .meta = SERVER_META, .what = "server", .names = field_names, .get = get_field};

/* --- listening --- */

/* The stack of l_listen. */
enum { HOST = 1, PORT, PATH, BACKLOG, MAX_CONNECTIONS, TIMEOUT, MAX_LINE, NAME };

/* Reads the address to listen on. Returns false if the host is neither an address nor a name of the
 * loopback. */
static bool read_address(lua_State *L, struct spt_address *address)
{
    size_t len;
    char name[SPT_HOST_MAX + 1], text[SPT_HOST_MAX + 3];
    const char *host = spt_check_string(L, HOST, &len);
    int port = (int)lua_tointeger(L, PORT);
    if (spt_address_read(address, host, len, port))
        return true;
    if (len == 0 || len > SPT_HOST_MAX || strpbrk(host, ":["))
        return false;
    for (size_t i = 0; i <= len; i++)
        name[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
    if (!spt_answer_literal(name, len, text))
        return false;
    const char *v4 = strrchr(text, ','); /* the server of a name is reached by its old address */
    v4 = v4 ? v4 + 1 : text;
    return spt_address_read(address, v4, strlen(v4), port);
}

static int raise_listen(lua_State *L, const struct server *server, int error)
{
    const struct spt_io_place place = {
        .operation = "listen on", .name = server->name, .field = server->field};
    return spt_io_error_raise_number(L, &place, error, NULL);
}

/* Asks the embedder, by "address:port" or "unix:" and the path. */
static void check_permission(lua_State *L, struct spt_env *env, const struct server *server)
{
    const bool is_path = strcmp(server->field, "path") == 0;
    const char *subject = is_path ? lua_pushfstring(L, "unix:%s", server->name) : server->address;
    if (spt_gate_permits(env, SEPTET_PERMIT_LISTEN, subject))
        return;
    const struct spt_io_place place = {
        .operation = "listen on", .name = server->name, .field = server->field};
    spt_error_push(L, "IoError", "cannot listen on '%s': denied by the host", server->name);
    spt_io_error_raise_at(L, &place, "denied");
}

/* Pushes a server that does not listen yet, named by the string at index NAME. */
static struct server *push_server(lua_State *L, bool is_path)
{
    struct server *server = lua_newuserdatauv(L, sizeof *server, 1);
    *server = (struct server){.name = lua_tostring(L, NAME),
                              .field = is_path ? "path" : "address",
                              .resource.release = on_host_end};
    spt_link_init(&server->resource.link);
    server->limits.max_line = (size_t)spt_check_count(L, MAX_LINE, 1);
    server->limits.timeout_ns = spt_check_opt_seconds(L, TIMEOUT, SPT_NEVER);
    lua_pushvalue(L, NAME);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SERVER_META);
    return server;
}

/* Names the server by the port that was free. Its handle is at index NAME + 1. */
static void name_port(lua_State *L, struct server *server)
{
    lua_pushlstring(L, server->name, (size_t)(strrchr(server->name, ':') - server->name));
    server->name = lua_pushfstring(L, "%s:%d", lua_tostring(L, -1), server->port);
    lua_setiuservalue(L, NAME + 1, 1);
    lua_pop(L, 1);
}

/* Writes where the server listens, without the port for a host. */
static void note_address(lua_State *L, struct server *server)
{
    const struct spt_address *address = &server->listener->address;
    server->port = spt_address_port(address);
    spt_address_write(address, server->address);
    if (address->at.ss_family != AF_UNIX && lua_tointeger(L, PORT) == 0)
        name_port(L, server);
    if (address->at.ss_family != AF_UNIX)
        *strrchr(server->address, ':') = '\0';
    if (server->address[0] == '[') {
        size_t len = strlen(server->address) - 2;
        memmove(server->address, server->address + 1, len);
        server->address[len] = '\0';
    }
}

/* net_listen(host, port, path, backlog, max_connections, timeout, max_line): returns a server, or
 * raises IoError. Either `host` or `path` is nil. `timeout`, in seconds, may be nil. */
static int l_listen(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_address address;
    lua_settop(L, MAX_LINE);
    const bool is_path = lua_isnil(L, HOST);
    const int backlog = (int)spt_check_count(L, BACKLOG, 1);
    const unsigned max = (unsigned)spt_check_count(L, MAX_CONNECTIONS, 1);
    if (is_path)
        lua_pushvalue(L, PATH);
    else
        lua_pushfstring(L, strchr(spt_check_string(L, HOST, NULL), ':') ? "[%s]:%d" : "%s:%d",
                        lua_tostring(L, HOST), (int)lua_tointeger(L, PORT));
    struct server *server = push_server(L, is_path);
    if (!env->loop)
        return spt_error_usage(L, "the host is closed");
    if (is_path && !spt_address_of_path(&address, spt_check_string(L, PATH, NULL)))
        return raise_listen(L, server, UV_ENAMETOOLONG);
    if (!is_path && !read_address(L, &address))
        return raise_listen(L, server, UV_EADDRNOTAVAIL);
    spt_address_write(&address, server->address);
    check_permission(L, env, server);
    int rc = spt_listener_open(&server->listener, env->loop, &env->sched->tree.timers, &address,
                               backlog, max);
    if (rc != 0)
        return raise_listen(L, server, rc);
    note_address(L, server);
    spt_env_add(env, &server->resource);
    spt_census_note(L, env, &server->resource, &census_kind);
    lua_settop(L, NAME + 1);
    return 1;
}

/* Returns where it listens. */
static int l_tostring(lua_State *L)
{
    const struct server *server = luaL_checkudata(L, 1, SERVER_META);
    const bool is_path = strcmp(server->field, "path") == 0;
    const bool is_v6 = strchr(server->address, ':') != NULL;
    if (is_path)
        lua_pushfstring(L, "server '%s'", server->name);
    else
        lua_pushfstring(L, is_v6 ? "server [%s]:%d" : "server %s:%d", server->address,
                        server->port);
    spt_error_escape(L);
    return 1;
}

void spt_open_net_server(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"accept", l_accept},
                                       {"connections", l_connections},
                                       {"close", l_close_strictly},
                                       {"__close", l_close},
                                       {"__gc", l_close},
                                       {"__tostring", l_tostring},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"net_listen", l_listen}, {NULL, NULL}};
    spt_new_type(L, env, SERVER_META, methods);
    luaL_getmetatable(L, SERVER_META);
    lua_getfield(L, -1, "__index");
    lua_setfield(L, -3, "net_server_methods"); /* for serve(), which is written in Lua */
    lua_setfield(L, -2, "net_server_meta");
    spt_connection_set_fields(L, &fields);
    spt_add_functions(L, env, functions);
}
