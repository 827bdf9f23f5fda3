/* SPDX-License-Identifier: MIT */
/* Copies the header block of a response for a script, which decodes it when it reads it. */
#include "op/http/header_block.h"

#include <lauxlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"
#include "http/connection_options.h"
#include "http/request.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/http/openers.h"

/* The head and the connection of a response, decoded on request. */
struct head {
    struct spt_times times;
    uint32_t number; /* of the request */
    int version;     /* 10, 11, 20 */
    char method[20]; /* truncated; no method in use is as long */
    bool reused, insecure;
    uint16_t peer_port;
    size_t len, peer_len, trailers_len;
    char lines[]; /* followed by the peer's address and the trailers */
};

bool spt_header_block_is_insecure(const struct spt_request *r)
{
    return r->connection && r->connection->insecure && strncasecmp(r->url, "https:", 6) == 0;
}

void spt_header_block_push(lua_State *L, const struct spt_request *r, uint32_t number, int meta)
{
    const struct spt_response *t = r->response;
    size_t peer_len = strlen(t->peer.address);
    size_t size = t->head.len + peer_len + t->trailers.len;
    struct head *head = lua_newuserdatauv(L, sizeof *head + size, 0);
    head->times = t->times;
    head->number = number;
    head->version = t->version;
    size_t len = strnlen(r->method, sizeof head->method - 1);
    memcpy(head->method, r->method, len);
    head->method[len] = '\0';
    head->len = t->head.len;
    if (head->len)
        memcpy(head->lines, t->head.data, head->len);
    head->reused = t->reused;
    head->insecure = spt_header_block_is_insecure(r);
    head->peer_port = t->peer.port;
    head->peer_len = peer_len;
    memcpy(head->lines + head->len, t->peer.address, peer_len);
    head->trailers_len = t->trailers.len;
    if (t->trailers.len > 0)
        memcpy(head->lines + head->len + peer_len, t->trailers.data, t->trailers.len);
    lua_rawgeti(L, LUA_REGISTRYINDEX, meta);
    lua_setmetatable(L, -2);
}

const char *spt_header_block_lines(lua_State *L, int index, size_t *len)
{
    const struct head *head = lua_touserdata(L, index);
    *len = head->len;
    return head->lines;
}

/* head:lines(): returns the raw header lines, the status line first. */
static int l_head_lines(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
    lua_pushlstring(L, head->lines, head->len);
    return 1;
}

/* head:trailers(): returns the raw header lines behind the body, "" if there are none so far. */
static int l_head_trailers(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
    lua_pushlstring(L, head->lines + head->len + head->peer_len, head->trailers_len);
    return 1;
}

/* head:version(): returns "1.0", "1.1" or "2". */
static int l_head_version(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
    lua_pushstring(L, head->version == 20 ? "2" : head->version == 10 ? "1.0" : "1.1");
    return 1;
}

/* head:method(): returns the method of the request. */
static int l_head_method(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
    lua_pushstring(L, head->method);
    return 1;
}

/* head:connection(): returns whether the connection was reused, whether certificate verification
 * was disabled, and the peer's address and port, or nil for a Unix socket. */
static int l_head_connection(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
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
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
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

/* head:number(): returns the number of the request. */
static int l_head_number(lua_State *L)
{
    struct head *head = luaL_checkudata(L, 1, SPT_HEADER_BLOCK_META);
    lua_pushinteger(L, head->number);
    return 1;
}

static const luaL_Reg methods[] = {{"number", l_head_number},         {"lines", l_head_lines},
                                   {"times", l_head_times},           {"trailers", l_head_trailers},
                                   {"version", l_head_version},       {"method", l_head_method},
                                   {"connection", l_head_connection}, {NULL, NULL}};

void spt_open_http_header_block(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_HEADER_BLOCK_META, methods);
}
