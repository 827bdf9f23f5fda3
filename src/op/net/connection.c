/* SPDX-License-Identifier: MIT */
/* Makes the type of connections of what readers and handles of streams have. */
#include "op/net/connection.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "loop/stream.h"
#include "op/census.h"
#include "op/env.h"
#include "op/net/openers.h"

static void on_close(struct spt_reader *reader)
{
    spt_stream_handle_on_close(reader);
    spt_listener_remove(&SPT_OF(reader, struct spt_connection, handle.reader)->accepted);
}

struct spt_connection *spt_connection_push(lua_State *L, int name, const char *field,
                                           const struct spt_connection_limits *limits)
{
    const struct spt_stream_kind kind = {.meta = SPT_CONNECTION_META,
                                         .noun = "connection",
                                         .field = field,
                                         .max_line = limits->max_line,
                                         .timeout_ns = limits->timeout_ns};
    struct spt_stream_handle *handle =
        spt_stream_handle_push(L, sizeof(struct spt_connection), name, &kind);
    handle->reader.on_close = on_close;
    return SPT_OF(handle, struct spt_connection, handle);
}

void spt_connection_attach(struct spt_connection *connection, struct spt_env *env,
                           struct spt_stream *stream)
{
    spt_address_of_peer(stream->fd, connection->peer);
    spt_address_of_socket(stream->fd, connection->local_address);
    spt_stream_handle_attach(&connection->handle, env, stream);
}

void spt_connection_note(lua_State *L, struct spt_env *env, const struct spt_connection *connection)
{
    static const struct spt_census_kind kind = {"a connection", NULL};
    spt_census_note(L, env, &connection->handle.reader.resource, &kind);
}

/* --- fields --- */

/* The upvalues: the methods, the names of methods and fields, and the spt_fields_type. */
static int l_index(lua_State *L)
{
    const struct spt_fields_type *type = lua_touserdata(L, lua_upvalueindex(3));
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (int i = 0; type->names[i]; i++) {
        if (strcmp(type->names[i], field) == 0) {
            type->get(L, i);
            return 1;
        }
    }
    return spt_check_no_field(L, type->what, lua_upvalueindex(2));
}

/* Pushes a table with the names of the methods on top of the stack, and of the fields. */
static void push_names(lua_State *L, const char *const *fields)
{
    int methods = lua_gettop(L);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, methods)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushboolean(L, 1);
        lua_rawset(L, methods + 1);
    }
    for (int i = 0; fields[i]; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, methods + 1, fields[i]);
    }
}

void spt_connection_set_fields(lua_State *L, const struct spt_fields_type *type)
{
    luaL_getmetatable(L, type->meta);
    lua_getfield(L, -1, "__index");
    push_names(L, type->names);
    lua_pushlightuserdata(L, (void *)type);
    lua_pushcclosure(L, l_index, 3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

enum { PEER };
static const char *const field_names[] = {"peer", "local_address", NULL};

static void get_field(lua_State *L, int field)
{
    const struct spt_connection *c = lua_touserdata(L, 1);
    const char *text = field == PEER ? c->peer : c->local_address;
    if (*text)
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
}

static const struct spt_fields_type fields = {
    .meta = SPT_CONNECTION_META, .what = "connection", .names = field_names, .get = get_field};

/* Returns the address or the path of the peer, or of a unix socket that was accepted its own. */
static int l_tostring(lua_State *L)
{
    const struct spt_connection *c = luaL_checkudata(L, 1, SPT_CONNECTION_META);
    const char *text = *c->peer ? c->peer : c->local_address;
    lua_pushfstring(L, strchr(text, '/') ? "connection '%s'" : "connection %s", text);
    spt_error_escape(L);
    return 1;
}

/* connection:set_timeout(seconds): limits each later call, or no longer if it is nil. */
static int l_set_timeout(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_reader *reader = spt_reader_check_open(L);
    reader->timeout_ns = spt_check_opt_seconds(L, 2, SPT_NEVER);
    return 0;
}

/* connection:reset(): closes the connection at once. Over TCP the peer gets a RST: its next read
 * raises ECONNRESET, once it has read what came before. */
static int l_reset(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_reader *reader = spt_reader_check_open(L);
    const struct spt_stream *stream = spt_stream_handle_stream(lua_touserdata(L, 1));
    const struct linger at_once = {.l_onoff = 1};
    if (stream) /* a unix socket ignores it */
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    spt_reader_close(reader);
    return 0;
}

void spt_open_net_connection(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg methods[] = {{"set_timeout", l_set_timeout},
                                       {"reset", l_reset},
                                       {"__tostring", l_tostring},
                                       {NULL, NULL}};
    spt_new_type(L, env, SPT_CONNECTION_META, methods);
    spt_add_methods(L, env, SPT_CONNECTION_META, spt_stream_handle_methods);
    spt_add_methods(L, env, SPT_CONNECTION_META, spt_reader_methods);
    spt_add_methods(L, env, SPT_CONNECTION_META, spt_reader_closing);
    spt_connection_set_fields(L, &fields);
}
