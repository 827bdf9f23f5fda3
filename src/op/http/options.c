/* SPDX-License-Identifier: MIT */
/* Reads and checks the options of requests into a userdata, which owns a copy of the connection
 * options among them. */
#include "op/http/options.h"

#include <lauxlib.h>

#include "core/check.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/http/openers.h"
#include "septet/septet.h"

enum { MAX_BODY = 64 * 1024 * 1024 }; /* bytes of a whole body, unless a script sets another */

static int l_options_gc(lua_State *L)
{
    struct spt_http_options *options = spt_check_self(L, "options");
    spt_connection_options_release(&options->connection);
    return 0;
}

/* http_options{...}: returns the options of requests. In seconds, nil for no timeout: connect,
 * first_byte, idle, queue. In bytes: max_body, nil for 64 MiB of a whole body. Of the connection:
 * proxy (a URL, or true for the environment's), unix_socket, ca_file, cert_file, key_file,
 * insecure, tls13, http2, no_cookies. For digest authentication: user and password. As in struct
 * spt_request_manner: raw, once, fresh. */
static int l_options(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint64_t queue = spt_fields_seconds(L, "queue");
    struct spt_http_options made = {
        .timeouts.connect_ns = spt_fields_seconds(L, "connect"),
        .timeouts.first_byte_ns = spt_fields_seconds(L, "first_byte"),
        .timeouts.idle_ns = spt_fields_seconds(L, "idle"),
        .timeouts.queue_ns = queue > 0 ? queue : 1, /* 0: start at once or fail */
        .max_body = MAX_BODY,
        .max_stream = SIZE_MAX,
        .manner.raw = spt_fields_flag(L, "raw"),
        .manner.once = spt_fields_flag(L, "once"),
        .manner.fresh = spt_fields_flag(L, "fresh"),
    };
    if (lua_getfield(L, 1, "max_body") != LUA_TNIL)
        made.max_body = made.max_stream = (size_t)spt_fields_count(L, "max_body", 0);
    lua_pop(L, 1);
    lua_getfield(L, 1, "proxy");
    bool env_proxy = lua_type(L, -1) == LUA_TBOOLEAN && lua_toboolean(L, -1);
    struct spt_connection_options connection = {
        .env_proxy = env_proxy,
        .proxy = env_proxy ? NULL : (char *)lua_tostring(L, -1),
        .unix_socket = (char *)spt_fields_text(L, "unix_socket"),
        .ca_file = (char *)spt_fields_text(L, "ca_file"),
        .cert_file = (char *)spt_fields_text(L, "cert_file"),
        .key_file = (char *)spt_fields_text(L, "key_file"),
        .user = (char *)spt_fields_text(L, "user"),
        .password = (char *)spt_fields_text(L, "password"),
        .insecure = spt_fields_flag(L, "insecure"),
        .tls13 = spt_fields_flag(L, "tls13"),
        .http2 = spt_fields_flag(L, "http2"),
        .no_cookies = spt_fields_flag(L, "no_cookies"),
    };
    struct spt_http_options *options = lua_newuserdatauv(L, sizeof *options, 0);
    *options = made;
    luaL_setmetatable(L, SPT_OPTIONS_META);
    if (spt_connection_options_copy(&options->connection, &connection) != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(SEPTET_ENOMEM));
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_options_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_options", l_options}, {NULL, NULL}};

void spt_open_http_options(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_OPTIONS_META, methods);
    spt_add_functions(L, env, functions);
}
