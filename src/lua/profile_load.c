/* SPDX-License-Identifier: MIT */
/* Functions that load chunks, as the standard profile has them. They load text only, and a chunk
 * gets the globals to which the function is bound. */
#include <lauxlib.h>
#include <string.h>

#include "lua/profile_parts.h"
#include "op/env.h"
#include "op/gate.h"

/* Replaces the mode at index `mode` by one without bytecode, and adds the globals behind it unless
 * the caller passed an environment. */
static void prepare(lua_State *L, int mode)
{
    const char *wanted = luaL_optstring(L, mode, "t");
    bool has_environment = !lua_isnone(L, mode + 1);
    lua_settop(L, mode + 1);
    if (!has_environment) {
        lua_pushvalue(L, lua_upvalueindex(SPT_PROFILE_OWN));
        lua_replace(L, mode + 1);
    }
    if (spt_env(L)->is_standard) {
        lua_pushstring(L, strchr(wanted, 't') ? "t" : "");
        lua_replace(L, mode);
    }
}

static int l_load(lua_State *L)
{
    prepare(L, 3);
    return spt_profile_stock(L);
}

/* Returns true unless the script may read the file at index 1, by default standard input. */
static bool is_denied(lua_State *L)
{
    const char *path = luaL_optstring(L, 1, SPT_GATE_STDIN);
    return spt_env(L)->is_standard && !spt_gate_permits(spt_env(L), SEPTET_PERMIT_READ, path);
}

static int l_loadfile(lua_State *L)
{
    if (is_denied(L)) {
        luaL_pushfail(L);
        lua_pushfstring(L, "cannot open %s: denied by the host",
                        luaL_optstring(L, 1, SPT_GATE_STDIN));
        return 2;
    }
    prepare(L, 2);
    return spt_profile_stock(L);
}

static int dofile_ended(lua_State *L, int status, lua_KContext ctx)
{
    return lua_gettop(L) - 1;
}

static int l_dofile(lua_State *L)
{
    const char *path = luaL_optstring(L, 1, NULL);
    if (is_denied(L))
        return luaL_error(L, "cannot open %s: denied by the host", path ? path : SPT_GATE_STDIN);
    lua_settop(L, 1);
    if (luaL_loadfilex(L, path, spt_env(L)->is_standard ? "t" : NULL) != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, lua_upvalueindex(SPT_PROFILE_OWN));
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    lua_callk(L, 0, LUA_MULTRET, 0, dofile_ended);
    return dofile_ended(L, LUA_OK, 0);
}

void spt_profile_bind_load(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {
        {"load", l_load}, {"loadfile", l_loadfile}, {"dofile", l_dofile}, {NULL, NULL}};
    spt_profile_replace(L, env, lua_gettop(L), functions);
}
