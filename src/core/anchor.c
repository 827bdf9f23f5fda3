/* Anchors by a table in the registry, from the address of a block to its userdata. */
#include "core/anchor.h"

static const char kept = 0; /* its address names the table */

void spt_anchor_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kept);
}

void spt_new_weak_table(lua_State *L, const void *key)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void spt_anchor(lua_State *L, int index)
{
    const void *block = lua_touserdata(L, index);
    lua_pushvalue(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, block);
    lua_pop(L, 1);
}

void spt_unanchor(lua_State *L, const void *block)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_pushnil(L);
    lua_rawsetp(L, -2, block);
    lua_pop(L, 1);
}
