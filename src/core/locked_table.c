/* SPDX-License-Identifier: MIT */
/* The hidden table is reached by the metatable, under a key that scripts do not have. */
#include "core/locked_table.h"

#include <lauxlib.h>

static const char hidden_key = 0; /* its address is the key of the hidden table in the metatable */

/* An iterator over the hidden table, its upvalue. */
static int l_next(lua_State *L)
{
    lua_settop(L, 2);
    return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

/* The __pairs of a locked table. It does not return the hidden table, as the standard one would. */
static int l_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, l_next, 1);
    return 1;
}

/* Pushes a copy of the table at `index`, with its metatable. */
static void push_copy(lua_State *L, int index)
{
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, index);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    if (lua_getmetatable(L, index))
        lua_setmetatable(L, -2);
}

void spt_locked_table_lock(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    push_copy(L, index);
    lua_createtable(L, 0, 5); // stack: refusal, hidden, metatable
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, l_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, &hidden_key);
    for (lua_pushnil(L); lua_next(L, index);) { /* nothing fails from here on */
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, index);
    }
    lua_setmetatable(L, index);
    lua_pop(L, 2);
}

bool spt_locked_table_push_hidden(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    bool is_locked = lua_rawgetp(L, -1, &hidden_key) != LUA_TNIL;
    lua_remove(L, -2);
    if (!is_locked)
        lua_pop(L, 1);
    return is_locked;
}

bool spt_locked_table_is(lua_State *L, int index)
{
    if (!spt_locked_table_push_hidden(L, index))
        return false;
    lua_pop(L, 1);
    return true;
}
