/* SPDX-License-Identifier: MIT */
/* Opens and closes sessions for scripts. */
#include "op/http/session.h"

#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/timer.h"
#include "http/driver.h"
#include "http/permit.h"
#include "http/session.h"
#include "op/census.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/http/headers.h"
#include "op/http/openers.h"
#include "op/http/options.h"
#include "op/library.h"
#include "septet/septet.h"

/* User values of a session: what its plain requests send. */
enum { UV_OPTIONS = SPT_SESSION_UV_SESSION + 1, UV_HEADERS, UV_KEPT = UV_HEADERS };

static void close_session(struct spt_session_handle *handle)
{
    struct spt_session *session = handle->session;
    handle->session = NULL;
    spt_link_remove(&handle->resource.link);
    if (session)
        spt_driver_free_session(session);
}

static void on_host_end(struct spt_resource *resource)
{
    close_session(SPT_OF(resource, struct spt_session_handle, resource));
}

/* Raises HttpError if the embedder denies a DNS server that the script names. */
static void check_resolver(lua_State *L, const struct spt_env *env, const char *servers)
{
    if (!servers || strcmp(servers, "system") == 0 || !env->config)
        return;
    const struct spt_permit permit = {env->config->permit, env->config->ud};
    const char *denied = spt_permit_servers(&permit, servers);
    if (!denied)
        return;
    lua_pushlstring(L, denied, strcspn(denied, ","));
    spt_error_push(L, "HttpError", "DNS server '%s' is denied by the embedder",
                   lua_tostring(L, -1));
    lua_pushliteral(L, "denied");
    lua_setfield(L, -2, "code");
    lua_pushliteral(L, SPT_DENIED_BY_EMBEDDER);
    lua_setfield(L, -2, "reason");
    lua_error(L);
}

/* http_session{limit, limit_per_host, cookies, resolve, resolver, allow, deny}: returns a pool of
 * connections. `resolve` is a list of "host:port:address", or nil; `allow` and `deny` are lists of
 * rules, or nil. Returns nil and the rule if a rule is invalid. */
static int l_session(lua_State *L)
{
    static const struct spt_census_kind kind = {"an HTTP session", NULL};
    struct spt_env *env = spt_env(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    spt_library_need(L, SPT_NEEDS_HTTP);
    struct spt_session_config config = {
        .limit = (unsigned)spt_fields_count(L, "limit", 1),
        .limit_per_host = (unsigned)spt_fields_count(L, "limit_per_host", 1),
        .cookies = spt_fields_flag(L, "cookies"),
    };
    lua_getfield(L, 1, "resolve");
    config.resolve = spt_fields_strings(L, lua_gettop(L), &config.n_resolve);
    config.resolver = spt_fields_text(L, "resolver");
    check_resolver(L, env, config.resolver);
    lua_getfield(L, 1, "allow");
    config.allow = spt_fields_strings(L, lua_gettop(L), &config.n_allow);
    lua_getfield(L, 1, "deny");
    config.deny = spt_fields_strings(L, lua_gettop(L), &config.n_deny);
    struct spt_session_handle *handle = lua_newuserdatauv(L, sizeof *handle, UV_KEPT);
    *handle = (struct spt_session_handle){.resource.release = on_host_end};
    spt_link_init(&handle->resource.link);
    luaL_setmetatable(L, SPT_SESSION_META);
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    const char *bad_rule;
    int rc = spt_session_new(&handle->session, env->driver, &config, &bad_rule);
    if (rc == SEPTET_EINVAL && bad_rule) {
        lua_pushnil(L);
        lua_pushstring(L, bad_rule);
        return 2;
    }
    if (rc != SEPTET_OK)
        return luaL_error(L, "cannot make a session: %s", septet_strerror(rc));
    spt_env_add(env, &handle->resource);
    spt_census_note(L, env, &handle->resource, &kind);
    return 1;
}

/* session:stats(): returns the session's current and total counts. */
static int l_session_stats(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    struct spt_session_stats s;
    if (!handle->session)
        return spt_error_usage(L, "the session is closed");
    spt_session_stats(handle->session, &s);
    lua_createtable(L, 0, 16);
    spt_fields_set_count(L, "active", s.active);
    spt_fields_set_count(L, "queued", s.queued);
    spt_fields_set_count(L, "connections", s.connections);
    spt_fields_set_count(L, "requests", s.requests);
    spt_fields_set_count(L, "failed", s.failed);
    spt_fields_set_count(L, "cancelled", s.cancelled);
    spt_fields_set_count(L, "connections_made", s.made);
    spt_fields_set_count(L, "connections_reused", s.reused);
    spt_fields_set_count(L, "connections_dropped", s.dropped);
    spt_fields_set_count(L, "bytes_received", s.received);
    spt_fields_set_count(L, "bytes_sent", s.sent);
    return 1;
}

/* session:set_shared(): no script is to close the session, so that no census counts it. */
static int l_session_set_shared(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    struct spt_env *env = spt_env(L);
    if (env->census)
        spt_census_forget(env, &handle->resource);
    return 0;
}

/* session:set_plain(object, options, headers, total): has requests without options send these, and
 * end after `total` seconds, or nil. Their verbs then do without Lua: request.c. `object` is the
 * session that scripts have. */
static int l_session_set_plain(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    handle->plain = (struct spt_session_plain){
        .allowed = true,
        .options = spt_check_udata(L, 3, SPT_OPTIONS_META, "options"),
        .headers = spt_check_udata(L, 4, SPT_HEADERS_META, "headers"),
        .total_ns = spt_check_opt_seconds(L, 5, SPT_NEVER),
    };
    lua_settop(L, 4);
    lua_setiuservalue(L, 1, UV_HEADERS);
    lua_setiuservalue(L, 1, UV_OPTIONS);
    lua_setiuservalue(L, 1, SPT_SESSION_UV_SESSION);
    return 0;
}

/* session:close(): closes the session. Requests in flight fail with the code "closed", and
 * connections are closed. */
static int l_session_close(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    close_session(handle);
    return 0;
}

static const luaL_Reg methods[] = {{"close", l_session_close},
                                   {"stats", l_session_stats},
                                   {"set_plain", l_session_set_plain},
                                   {"set_shared", l_session_set_shared},
                                   {"__gc", l_session_close},
                                   {"__close", l_session_close},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_session", l_session}, {NULL, NULL}};

void spt_open_http_session(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_SESSION_META, methods);
    spt_add_functions(L, env, functions);
}
