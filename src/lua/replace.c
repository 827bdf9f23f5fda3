/* SPDX-License-Identifier: MIT */
/* Puts functions into the tables of standard libraries, with the standard ones as upvalues. */
#include "lua/replace.h"

void spt_replace_functions(lua_State *L, struct spt_env *env, lua_CFunction open,
                           const char *library, const luaL_Reg *replacements)
{
    int theirs = lua_gettop(L) + 1, stocks = theirs + 1;
    if (lua_getglobal(L, library) != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    for (const luaL_Reg *r = replacements; r->name; r++) {
        lua_pushlightuserdata(L, env);
        lua_getfield(L, stocks, r->name);
        if (lua_getfield(L, theirs, r->name) != LUA_TNIL) { /* otherwise the embedder removed it */
            lua_pop(L, 1);
            lua_pushcclosure(L, r->func, 2);
            lua_setfield(L, theirs, r->name);
        }
        lua_settop(L, stocks);
    }
    lua_pop(L, 2);
}
