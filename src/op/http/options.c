/* The objects that scripts create for requests (sessions, options, checked headers), and the head
 * that a response keeps. */
#include "core/check.h"
#include "core/error.h"
#include "http/decoder.h"
#include "http/quirks.h"
#include "op/fields.h"
#include "op/http/call.h"

#include <lauxlib.h>
#include <string.h>

enum {
    MAX_BODY = 64 * 1024 * 1024, /* bytes of a whole body, unless a script sets another */
    NAME_SHOWN = 256             /* bytes of a header's name in an error */
};

static int l_options_gc(lua_State *L)
{
    struct spt_http_options *options = spt_check_self(L, "options");
    spt_connection_options_release(&options->profile);
    return 0;
}

/* http_options{...}: returns the options of requests. In seconds, nil for no timeout: connect,
 * first_byte, idle, queue. In bytes: max_body, nil for 64 MiB of a whole body. Of the connection:
 * proxy (a URL, or true for the environment's), unix_socket, ca_file, cert_file, key_file,
 * insecure, tls13, http2, no_cookies. For digest authentication: user and password. */
static int l_options(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint64_t queue = spt_fields_seconds(L, "queue");
    struct spt_http_options made = {
        .limits.connect_ns = spt_fields_seconds(L, "connect"),
        .limits.first_byte_ns = spt_fields_seconds(L, "first_byte"),
        .limits.idle_ns = spt_fields_seconds(L, "idle"),
        .limits.queue_ns = queue > 0 ? queue : 1, /* 0: start at once or fail */
        .max_body = MAX_BODY,
        .max_stream = SIZE_MAX,
    };
    if (lua_getfield(L, 1, "max_body") != LUA_TNIL)
        made.max_body = made.max_stream = (size_t)spt_fields_count(L, "max_body", 0);
    lua_pop(L, 1);
    lua_getfield(L, 1, "proxy");
    bool env_proxy = lua_type(L, -1) == LUA_TBOOLEAN && lua_toboolean(L, -1);
    struct spt_connection_options profile = {
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
    if (spt_connection_options_copy(&options->profile, &profile) != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(SEPTET_ENOMEM));
    return 1;
}

/* Returns the strings of the array at `arg`, or NULL for nil. The array keeps the strings alive,
 * and the stack the block of pointers. */
static const char *const *check_strings(lua_State *L, int arg, size_t *n)
{
    *n = 0;
    if (lua_isnoneornil(L, arg))
        return NULL;
    luaL_checktype(L, arg, LUA_TTABLE);
    *n = lua_rawlen(L, arg);
    const char **strings = lua_newuserdatauv(L, *n * sizeof *strings + 1, 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        strings[i] = spt_check_string(L, -1, NULL);
        lua_pop(L, 1); /* the table keeps it alive */
    }
    return strings;
}

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

/* http_session{limit, limit_per_host, cookies, resolve, resolver, allow, deny}: returns a pool of
 * connections. `resolve` is a list of "host:port:address", or nil; `allow` and `deny` are lists of
 * rules, or nil. Returns nil and the rule if a rule is invalid. */
static int l_session(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct spt_session_config config = {
        .limit = (unsigned)spt_fields_count(L, "limit", 1),
        .limit_per_host = (unsigned)spt_fields_count(L, "limit_per_host", 1),
        .cookies = spt_fields_flag(L, "cookies"),
    };
    lua_getfield(L, 1, "resolve");
    config.resolve = check_strings(L, lua_gettop(L), &config.n_resolve);
    config.resolver = spt_fields_text(L, "resolver");
    lua_getfield(L, 1, "allow");
    config.allow = check_strings(L, lua_gettop(L), &config.n_allow);
    lua_getfield(L, 1, "deny");
    config.deny = check_strings(L, lua_gettop(L), &config.n_deny);
    struct spt_session_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct spt_session_handle){.resource.release = on_host_end};
    spt_link_init(&handle->resource.link);
    luaL_setmetatable(L, SPT_SESSION_META);
    if (!env->driver)
        return spt_error_usage(L, "the host is closed");
    int rc = spt_session_new(&handle->session, env->driver, &config);
    if (rc == SEPTET_EINVAL && config.bad_rule) {
        lua_pushnil(L);
        lua_pushstring(L, config.bad_rule);
        return 2;
    }
    if (rc != SEPTET_OK)
        return luaL_error(L, "cannot make a session: %s", septet_strerror(rc));
    spt_env_add(env, &handle->resource);
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

/* session:close(): closes the session. Requests in flight fail with the code "closed", and
 * connections are closed. */
static int l_session_close(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    close_session(handle);
    return 0;
}

static int l_headers_gc(lua_State *L)
{
    struct spt_headers_handle *handle = spt_check_self(L, "headers");
    spt_headers_free(handle->headers);
    handle->headers = NULL;
    return 0;
}

/* http_headers{name1, value1, name2, value2, ...}: returns checked header lines. Raises Usage for a
 * header that cannot be sent, with its name. */
static int l_headers(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1) / 2, at = 0;
    const char *why = NULL;
    luaL_checkstack(L, 8, NULL);
    struct spt_header *pairs = lua_newuserdatauv(L, n * sizeof *pairs + 1, 0);
    struct spt_headers_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->headers = NULL;
    luaL_setmetatable(L, SPT_HEADERS_META);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 1));
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 2));
        pairs[i].name = lua_tolstring(L, -2, &pairs[i].name_len);
        pairs[i].value = lua_tolstring(L, -1, &pairs[i].value_len);
        lua_pop(L, 2); /* the table keeps them alive */
    }
    int rc = spt_headers_new(&handle->headers, pairs, n, &why, &at);
    if (rc == SEPTET_EINVAL) {
        char name[NAME_SHOWN];
        spt_error_push(L, "Usage", "header '%s': %s",
                       spt_redact_url(pairs[at].name, name, sizeof name), why);
        return lua_error(L);
    }
    if (rc != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(rc));
    return 1;
}

/* http_encodings(): returns the supported content codings, as a value of Accept-Encoding. */
static int l_encodings(lua_State *L)
{
    lua_pushliteral(L, SPT_CODINGS);
    return 1;
}

/* http2_refusal(): returns why HTTP/2 is disabled with this libcurl, or nil. */
static int l_http2_refusal(lua_State *L)
{
    lua_pushstring(L, spt_quirks_http2_refusal(spt_env(L)->quirk_changes));
    return 1;
}

/* http_quirks(): returns a list of the words for the workarounds in use for this libcurl. */
static int l_quirks(lua_State *L)
{
    unsigned quirks = spt_quirks(spt_env(L)->quirk_changes);
    lua_Integer n = 0;
    lua_newtable(L);
    for (unsigned i = 0; i < SPT_QUIRKS; i++) {
        if (!(quirks >> i & 1u))
            continue;
        lua_pushstring(L, spt_quirks_word((enum spt_quirk)i));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* --- heads --- */

/* The head and the connection of a response, decoded on request. */
struct head {
    struct spt_times times;
    int version;     /* 10, 11, 20 */
    char method[20]; /* truncated; no method in use is as long */
    bool reused, insecure;
    uint16_t peer_port;
    size_t len, peer_len;
    char lines[]; /* followed by the peer's address */
};

void spt_http_request_push_head(lua_State *L, const struct spt_request *r)
{
    const struct spt_response *t = r->response;
    size_t peer_len = strlen(t->peer.address);
    struct head *head = lua_newuserdatauv(L, sizeof *head + t->head.len + peer_len, 0);
    head->times = t->times;
    head->version = t->version;
    size_t len = strnlen(r->method, sizeof head->method - 1);
    memcpy(head->method, r->method, len);
    head->method[len] = '\0';
    head->len = t->head.len;
    if (head->len)
        memcpy(head->lines, t->head.data, head->len);
    head->reused = t->reused;
    head->insecure = spt_http_request_insecure(r);
    head->peer_port = t->peer.port;
    head->peer_len = peer_len;
    memcpy(head->lines + head->len, t->peer.address, peer_len);
    luaL_setmetatable(L, SPT_HEAD_META);
}

void spt_http_request_set_response(lua_State *L, const struct spt_request *r)
{
    const struct spt_response *t = r->response;
    lua_pushinteger(L, t->status);
    lua_setfield(L, -2, "status");
    spt_http_request_push_head(L, r);
    lua_setfield(L, -2, "head");
    if (t->redirect_url) {
        lua_pushstring(L, t->redirect_url);
        lua_setfield(L, -2, "redirect_url");
    }
    if (r->state.own_url) {
        lua_pushstring(L, r->state.own_url);
        lua_setfield(L, -2, "url");
    }
}

/* head:lines(): returns the raw header lines, the status line first. */
static int l_head_lines(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEAD_META);
    lua_pushlstring(L, head->lines, head->len);
    return 1;
}

/* head:version(): returns "1.0", "1.1" or "2". */
static int l_head_version(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEAD_META);
    lua_pushstring(L, head->version == 20 ? "2" : head->version == 10 ? "1.0" : "1.1");
    return 1;
}

/* head:method(): returns the method of the request. */
static int l_head_method(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEAD_META);
    lua_pushstring(L, head->method);
    return 1;
}

/* head:connection(): returns whether the connection was reused, whether certificate verification
 * was disabled, and the peer's address and port, or nil for a Unix socket. */
static int l_head_connection(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEAD_META);
    lua_pushboolean(L, head->reused);
    lua_pushboolean(L, head->insecure);
    if (head->peer_len == 0)
        return 2;
    lua_pushlstring(L, head->lines + head->len, head->peer_len);
    lua_pushinteger(L, head->peer_port);
    return 4;
}

/* head:times(): returns the seconds that each phase took. Phases that did not occur are absent. */
static int l_head_times(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEAD_META);
    const struct spt_times *t = &head->times;
    lua_createtable(L, 0, 8);
    spt_fields_set_seconds(L, "queue", t->queue_ns);
    spt_fields_set_seconds(L, "dns", t->dns_ns);
    spt_fields_set_seconds(L, "tcp", t->tcp_ns);
    spt_fields_set_seconds(L, "tls", t->tls_ns);
    spt_fields_set_seconds(L, "send", t->send_ns);
    spt_fields_set_seconds(L, "wait", t->wait_ns);
    spt_fields_set_seconds(L, "receive", t->recv_ns);
    spt_fields_set_seconds(L, "total", t->total_ns);
    return 1;
}

static const luaL_Reg session_methods[] = {{"close", l_session_close},
                                           {"stats", l_session_stats},
                                           {"__gc", l_session_close},
                                           {"__close", l_session_close},
                                           {NULL, NULL}};
static const luaL_Reg options_methods[] = {{"__gc", l_options_gc}, {NULL, NULL}};
static const luaL_Reg headers_methods[] = {{"__gc", l_headers_gc}, {NULL, NULL}};
static const luaL_Reg head_methods[] = {
    {"lines", l_head_lines},   {"times", l_head_times},           {"version", l_head_version},
    {"method", l_head_method}, {"connection", l_head_connection}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"http2_refusal", l_http2_refusal},
                                     {"http_quirks", l_quirks},
                                     {"http_options", l_options},
                                     {"http_session", l_session},
                                     {"http_encodings", l_encodings},
                                     {"http_headers", l_headers},
                                     {NULL, NULL}};

void spt_open_http_types(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_SESSION_META, session_methods);
    spt_new_type(L, env, SPT_OPTIONS_META, options_methods);
    spt_new_type(L, env, SPT_HEADERS_META, headers_methods);
    spt_new_type(L, env, SPT_HEAD_META, head_methods);
    spt_add_functions(L, env, functions);
}
