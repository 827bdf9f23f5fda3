/* SPDX-License-Identifier: MIT */
/* Keeps values in the registry, for as long as the host lives. The state may have another host
 * later. */
#include "op/http/refs.h"

#include <lauxlib.h>

#include "op/http/header_block.h"
#include "op/http/session.h"

static int keep(lua_State *L, const char *key)
{
    lua_pushstring(L, key);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Calls `each` with every reference. */
static void for_each(lua_State *L, struct spt_http_refs *refs, void (*each)(lua_State *L, int *ref))
{
    int *all[] = {
        &refs->head_meta, &refs->response_meta, &refs->sessions, &refs->follow, &refs->handle,
        &refs->body,      &refs->head,          &refs->redirect, &refs->status, &refs->url};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        each(L, all[i]);
}

static void clear(lua_State *L, int *ref)
{
    *ref = LUA_REFNIL;
}

static void release(lua_State *L, int *ref)
{
    luaL_unref(L, LUA_REGISTRYINDEX, *ref);
    *ref = LUA_REFNIL;
}

void spt_http_refs_clear(struct spt_http_refs *refs)
{
    *refs = (struct spt_http_refs){.session_meta = NULL};
    for_each(NULL, refs, clear);
}

void spt_http_refs_init(lua_State *L, struct spt_http_refs *refs)
{
    luaL_getmetatable(L, SPT_SESSION_META);
    refs->session_handle_meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    luaL_getmetatable(L, SPT_HEADER_BLOCK_META);
    refs->head_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    refs->handle = keep(L, "handle");
    refs->body = keep(L, "body");
    refs->head = keep(L, "head");
    refs->redirect = keep(L, "redirect_url");
    refs->status = keep(L, "status");
    refs->url = keep(L, "url");
}

void spt_http_refs_release(lua_State *L, struct spt_http_refs *refs)
{
    for_each(L, refs, release);
    refs->session_meta = NULL;
}

void spt_http_refs_take(lua_State *L, struct spt_http_refs *refs)
{
    lua_settop(L, 3);
    refs->follow = luaL_ref(L, LUA_REGISTRYINDEX);
    refs->response_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    refs->session_meta = lua_topointer(L, 1);
    refs->sessions = luaL_ref(L, LUA_REGISTRYINDEX);
}
