/* SPDX-License-Identifier: MIT */
/* Keeps values in the registry, for as long as the Lua state lives. */
#include "op/http/refs.h"

#include <lauxlib.h>

#include "op/http/header_block.h"
#include "op/http/session.h"

static int keep(lua_State *L, const char *key)
{
    lua_pushstring(L, key);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void spt_http_refs_init(lua_State *L, struct spt_http_refs *refs)
{
    luaL_getmetatable(L, SPT_SESSION_META);
    *refs = (struct spt_http_refs){
        .session_handle_meta = lua_topointer(L, -1),
        .response_meta = LUA_REFNIL,
        .follow = LUA_REFNIL,
        .handle = keep(L, "handle"),
        .body = keep(L, "body"),
        .head = keep(L, "head"),
        .redirect = keep(L, "redirect_url"),
        .status = keep(L, "status"),
        .url = keep(L, "url"),
    };
    lua_pop(L, 1);
    luaL_getmetatable(L, SPT_HEADER_BLOCK_META);
    refs->head_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

void spt_http_refs_take(lua_State *L, struct spt_http_refs *refs)
{
    lua_settop(L, 3);
    refs->follow = luaL_ref(L, LUA_REGISTRYINDEX);
    refs->response_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    refs->session_meta = lua_topointer(L, 1);
    (void)luaL_ref(L, LUA_REGISTRYINDEX);
}
