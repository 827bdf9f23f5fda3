/* SPDX-License-Identifier: MIT */
/* Pushes values while the call is there, and makes the table after it was released. */
#include "op/http/result.h"

#include "base/time.h"
#include "op/http/call.h"
#include "op/http/header_block.h"
#include "op/http/refs.h"

int spt_http_result_push(lua_State *L, const struct spt_http_call *call)
{
    const struct spt_request *r = &call->request;
    const struct spt_response *t = r->response;
    lua_pushlstring(L, t->body.buf.data ? t->body.buf.data : "", t->body.buf.len);
    spt_header_block_push(L, r, call->number.request, spt_http_pool_refs(call->pool)->head_meta);
    lua_pushinteger(L, t->status);
    if (!r->state.own_url && !t->redirect_url)
        return SPT_RESULT_ALWAYS;
    lua_pushstring(L, r->state.own_url); /* nil for NULL */
    if (!t->redirect_url)
        return SPT_RESULT_URL + 1;
    lua_pushstring(L, t->redirect_url);
    lua_pushstring(L, r->method);
    if (r->deadline_ns)
        lua_pushnumber(L, spt_time_seconds(r->deadline_ns));
    else
        lua_pushnil(L);
    return SPT_RESULT_MOST;
}

/* Sets a field of the table on top of the stack. */
static void set(lua_State *L, int key, int value)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, key);
    lua_pushvalue(L, value);
    lua_rawset(L, -3);
}

void spt_http_result_make(lua_State *L, const struct spt_http_refs *refs, int n, int url)
{
    const int first = lua_gettop(L) - n + 1;
    bool has_url = n > SPT_RESULT_URL && !lua_isnil(L, first + SPT_RESULT_URL);
    lua_createtable(L, 0, 4); /* body, head, status, url; a redirect_url makes it grow */
    set(L, refs->body, first + SPT_RESULT_BODY);
    set(L, refs->head, first + SPT_RESULT_HEAD);
    set(L, refs->status, first + SPT_RESULT_STATUS);
    set(L, refs->url, has_url ? first + SPT_RESULT_URL : url);
    if (n > SPT_RESULT_REDIRECT)
        set(L, refs->redirect, first + SPT_RESULT_REDIRECT);
    lua_rawgeti(L, LUA_REGISTRYINDEX, refs->response_meta);
    lua_setmetatable(L, -2);
}
