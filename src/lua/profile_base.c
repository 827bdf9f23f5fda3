/* SPDX-License-Identifier: MIT */
/* Functions of the base library and of `os` as the standard profile has them. What is refused is
 * reported in the way in which the standard function reports its failures. */
#include <lauxlib.h>
#include <string.h>

#include "core/locked_table.h"
#include "lua/profile_parts.h"
#include "op/env.h"
#include "op/gate.h"

/* collectgarbage("count"). The collector is the host's: it runs in the budget of a step. */
static int l_collectgarbage(lua_State *L)
{
    const char *option = luaL_optstring(L, 1, "collect");
    if (strcmp(option, "count") != 0)
        luaL_argerror(L, 1,
                      lua_pushfstring(L, "'%s' is up to the host, scripts have 'count'", option));
    lua_settop(L, 0);
    lua_pushliteral(L, "count");
    return spt_profile_stock(L);
}

/* rawset, but not in Septet's modules. */
static int l_rawset(lua_State *L)
{
    if (spt_locked_table_is(L, 1))
        return luaL_argerror(L, 1, "the table is read-only");
    return spt_profile_stock(L);
}

/* warn, but without the control messages, which would apply to all scripts. */
static int l_warn(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checkstring(L, 1);
    for (int i = 2; i <= n; i++)
        luaL_checkstring(L, i);
    lua_concat(L, n);
    const char *message = lua_tostring(L, -1);
    if (*message != '@')
        lua_warning(L, message, 0);
    return 0;
}

const luaL_Reg spt_profile_base[] = {
    {"collectgarbage", l_collectgarbage}, {"rawset", l_rawset}, {"warn", l_warn}, {NULL, NULL}};

/* --- os --- */

/* os.getenv: a variable that is denied is one that is not set. */
static int l_getenv(lua_State *L)
{
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_ENV, luaL_checkstring(L, 1)))
        return spt_profile_stock(L);
    luaL_pushfail(L);
    return 1;
}

static int l_remove(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, path))
        return spt_profile_stock(L);
    return spt_profile_refuse(L, path);
}

static int l_rename(lua_State *L)
{
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    if (!spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, from))
        return spt_profile_refuse(L, from);
    if (!spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, to))
        return spt_profile_refuse(L, to);
    return spt_profile_stock(L);
}

static int l_tmpname(lua_State *L)
{
    if (spt_gate_permits(spt_env(L), SEPTET_PERMIT_WRITE, SPT_GATE_TEMPORARY))
        return spt_profile_stock(L);
    return luaL_error(L, "%s: denied by the host", SPT_GATE_TEMPORARY);
}

/* os.execute: without a command it only says that there is a shell. */
static int l_execute(lua_State *L)
{
    const char *command = luaL_optstring(L, 1, NULL);
    if (!command || spt_gate_permits(spt_env(L), SEPTET_PERMIT_RUN, command))
        return spt_profile_stock(L);
    return spt_profile_refuse(L, command);
}

/* os.setlocale: only queries, because the locale is the process's. */
static int l_setlocale(lua_State *L)
{
    if (luaL_optstring(L, 1, NULL)) {
        luaL_pushfail(L);
        return 1;
    }
    return spt_profile_stock(L);
}

const luaL_Reg spt_profile_os[] = {{"getenv", l_getenv},
                                   {"remove", l_remove},
                                   {"rename", l_rename},
                                   {"tmpname", l_tmpname},
                                   {"execute", l_execute},
                                   {"setlocale", l_setlocale},
                                   {NULL, NULL}};
