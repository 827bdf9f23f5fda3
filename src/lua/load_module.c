/* SPDX-License-Identifier: MIT */
/* A searcher of package.searchers, behind the one for package.preload. */
#include <lauxlib.h>
#include <lualib.h>

#include "lua/lib.h"
#include "op/env.h"
#include "op/gate.h"

/* The key in the registry of the searcher of the state's last host. */
#define SEARCHER "septet.searcher"

static int fail(lua_State *L, const char *name, const char *why)
{
    return luaL_error(L, "error loading module '%s' from the host:\n\t%s", name, why);
}

/* Returns the chunk of a module and where it is from, or a string if the embedder has no such
 * module. Nothing raises between the two callbacks: lua_load is protected. */
static int l_search(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    const char *chunkname = lua_pushfstring(L, "@%s", name);
    luaL_checkstack(L, 8, NULL);
    septet_source source = {0};
    int found = env->config ? spt_gate_load_module(env, name, &source) : 0;
    if (found == 0) {
        lua_pushfstring(L, "the host has no module '%s'", name);
        return 1;
    }
    if (found < 0)
        return fail(L, name, septet_strerror(found));
    int status = LUA_ERRFILE;
    if (source.text)
        status = luaL_loadbufferx(L, source.text, source.length,
                                  source.chunkname ? source.chunkname : chunkname, "t");
    if (source.release)
        spt_gate_release(env, &source);
    if (status == LUA_ERRMEM)
        return lua_error(L);
    if (status != LUA_OK)
        return fail(L, name, source.text ? lua_tostring(L, -1) : "there is no text");
    lua_Debug ar;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &ar);
    lua_pushstring(L, *ar.source == '@' ? ar.source + 1 : ar.source);
    return 2;
}

/* Removes the searcher of an earlier host of the state from the list on top of the stack. */
static void remove_earlier(lua_State *L)
{
    int list = lua_gettop(L), kept = 0, n = (int)lua_rawlen(L, list);
    lua_getfield(L, LUA_REGISTRYINDEX, SEARCHER);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        if (!lua_isnil(L, list + 1) && lua_rawequal(L, -1, list + 1))
            lua_pop(L, 1);
        else
            lua_rawseti(L, list, ++kept);
    }
    for (int i = kept + 1; i <= n; i++) {
        lua_pushnil(L);
        lua_rawseti(L, list, i);
    }
    lua_settop(L, list);
}

void spt_open_load_module(lua_State *L, struct spt_env *env)
{
    int top = lua_gettop(L);
    lua_pushglobaltable(L);
    lua_pushliteral(L, LUA_LOADLIBNAME);
    if (lua_rawget(L, -2) != LUA_TTABLE || lua_getfield(L, -1, "searchers") != LUA_TTABLE) {
        lua_settop(L, top); /* the embedder has removed it */
        return;
    }
    remove_earlier(L);
    if (env->config && env->config->load_module) {
        for (int i = (int)lua_rawlen(L, -1); i > 1; i--) {
            lua_rawgeti(L, -1, i);
            lua_rawseti(L, -2, i + 1);
        }
        lua_pushlightuserdata(L, env);
        lua_pushcclosure(L, l_search, 1);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, SEARCHER);
        lua_rawseti(L, -2, lua_rawlen(L, -2) > 0 ? 2 : 1);
    }
    lua_settop(L, top);
}
