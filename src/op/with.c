/* SPDX-License-Identifier: MIT */
/* Calls the function protected, through lua_pcallk(), so that it may wait. */
#include "op/with.h"

#include <lauxlib.h>

#include "core/check.h"
#include "core/error.h"
#include "core/traceback.h"

void spt_with_begin(lua_State *L)
{
    spt_check_callable(L, 2);
    luaL_checkstack(L, 4, "too many arguments");
    spt_traceback_push_handler(L, false);
    lua_insert(L, 2);
}

int spt_with_call(lua_State *L, lua_KFunction ended)
{
    // stack: object, handler, fn, arguments...
    int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, ended);
    return ended(L, status, 0);
}

int spt_with_end(lua_State *L, int status, bool released, const char *type)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        spt_traceback_caught(L, 2, -1);
        lua_insert(L, -2);
        return spt_traceback_raise(L, NULL);
    }
    if (!released)
        return spt_error_usage(L, "the %s was released inside of 'with'", type);
    return lua_gettop(L) - 2;
}
