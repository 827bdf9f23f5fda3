/* SPDX-License-Identifier: MIT */
/* Replaces `xpcall`. Lua calls a message handler where the error is raised, and no hook while a
 * hook raises. So a handler that loops would never end, once the host ends its task. */
#include <lauxlib.h>

#include "core/hook.h"
#include "core/sched.h"
#include "lua/lib.h"
#include "op/env.h"

/* A message handler: calls the script's, the second upvalue, unless the host ends the code. */
static int handle(lua_State *L)
{
    lua_settop(L, 1);
    if (spt_hook_ends(spt_env(L)->sched))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int ended(lua_State *L, int status, lua_KContext ctx)
{
    // stack: fn, handler, true, results ... | fn, handler, true, error
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 2;
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

/* xpcall, but without the script's handler for the errors by which the host ends its task. */
static int l_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (spt_hook_counts(spt_env(L)->sched) && !lua_iscfunction(L, 2)) {
        lua_pushlightuserdata(L, spt_env(L));
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, handle, 2);
        lua_replace(L, 2);
    }
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    return ended(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 0, ended), 0);
}

/* Returns true for stock Lua's function, and for that of an earlier host of the state. */
static bool is_replaceable(lua_State *L, int index)
{
    lua_CFunction function = lua_tocfunction(L, index);
    if (!function || function == l_xpcall)
        return function != NULL;
    if (!lua_getupvalue(L, index, 1))
        return true;
    lua_pop(L, 1);
    return false;
}

void spt_open_protect(lua_State *L, struct spt_env *env)
{
    lua_getglobal(L, "xpcall");
    bool replaceable = is_replaceable(L, -1);
    lua_pop(L, 1);
    if (!replaceable) /* the embedder removed or replaced it */
        return;
    lua_pushlightuserdata(L, env);
    lua_pushcclosure(L, l_xpcall, 1);
    lua_setglobal(L, "xpcall");
}
