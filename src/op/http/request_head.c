/* SPDX-License-Identifier: MIT */
/* The head of a request that a server in Lua receives. */
#include <lauxlib.h>

#include "core/check.h"
#include "http/request_head.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "septet/septet.h"

#define META "septet.http.request_head"

static int l_gc(lua_State *L)
{
    spt_request_head_release(spt_check_self(L, "request_head"));
    return 0;
}

/* http_request_head(trailers): returns an empty head of a request, or of the header lines after a
 * chunked body. */
static int l_request_head(lua_State *L)
{
    struct spt_request_head *head = lua_newuserdatauv(L, sizeof *head, 0);
    spt_request_head_init(head, lua_toboolean(L, 1));
    luaL_setmetatable(L, META);
    return 1;
}

/* head:feed(bytes, at): takes bytes from position `at` on. Returns the position after those taken,
 * and true if the head is complete. Returns nil and a word if it is refused: one of
 * spt_head_line(), "line_end" or "too_big". */
static int l_feed(lua_State *L)
{
    struct spt_request_head *head = spt_check_self(L, "request_head");
    size_t len, used;
    const char *bytes = spt_check_string(L, 2, &len);
    size_t at = (size_t)spt_check_count(L, 3, 1) - 1;
    if (at > len)
        at = len;
    int rc =
        head->head.fault ? SEPTET_EINVAL : spt_request_head_feed(head, bytes + at, len - at, &used);
    if (rc == SEPTET_ENOMEM)
        return luaL_error(L, "%s", septet_strerror(rc));
    if (rc != SEPTET_OK) {
        if (rc == SEPTET_ETOOBIG)
            head->head.fault = "too_big";
        lua_pushnil(L);
        lua_pushstring(L, head->head.fault);
        return 2;
    }
    lua_pushinteger(L, (lua_Integer)(at + used + 1));
    lua_pushboolean(L, head->head.done);
    return 2;
}

/* head:lines(): returns the lines so far, separated by CRLF. The first is that of the request. */
static int l_lines(lua_State *L)
{
    const struct spt_request_head *head = spt_check_self(L, "request_head");
    lua_pushlstring(L, head->lines.data ? head->lines.data : "", head->lines.len);
    return 1;
}

/* head:framing(): returns whether the body is chunked, and its length or nil. */
static int l_framing(lua_State *L)
{
    const struct spt_request_head *head = spt_check_self(L, "request_head");
    lua_pushboolean(L, head->head.transfer);
    if (head->head.length < 0)
        return 1;
    lua_pushinteger(L, head->head.length);
    return 2;
}

static const luaL_Reg methods[] = {
    {"feed", l_feed}, {"lines", l_lines}, {"framing", l_framing}, {"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_request_head", l_request_head}, {NULL, NULL}};

void spt_open_http_request_head(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
