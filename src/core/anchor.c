/* SPDX-License-Identifier: MIT */
/* Anchors in a table of the registry, from the address of a block to its userdata, and in the
 * registry itself. */
#include "core/anchor.h"

#include <lauxlib.h>
#include <stdlib.h>

static const char kept = 0; /* its address names the table */

void spt_anchor_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kept);
}

void spt_anchor_new_weak_table(lua_State *L, const void *key)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void spt_anchor_keep(lua_State *L, int index)
{
    const void *block = lua_touserdata(L, index);
    lua_pushvalue(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, block);
    lua_pop(L, 1);
}

void spt_anchor_release(lua_State *L, const void *block)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_pushnil(L);
    lua_rawsetp(L, -2, block);
    lua_pop(L, 1);
}

/* --- by index --- */

void spt_anchor_close(lua_State *L, struct spt_anchors *anchors)
{
    while (anchors->nfree > 0)
        luaL_unref(L, LUA_REGISTRYINDEX, (int)anchors->free[--anchors->nfree]);
    free(anchors->free);
    anchors->free = NULL;
}

/* Adds a free index. */
static void grow(lua_State *L, struct spt_anchors *anchors)
{
    if (anchors->n == anchors->room) {
        uint32_t room = anchors->room ? anchors->room * 2 : 64;
        uint32_t *indices = realloc(anchors->free, room * sizeof *indices);
        if (!indices)
            luaL_error(L, "not enough memory");
        anchors->free = indices;
        anchors->room = room;
    }
    lua_pushboolean(L, 0); /* not nil, which would let others take the place */
    uint32_t i = (uint32_t)luaL_ref(L, LUA_REGISTRYINDEX);
    anchors->free[anchors->nfree++] = i;
    anchors->n++;
    if (i > anchors->last)
        anchors->last = i;
}

uint32_t spt_anchor_add(lua_State *L, struct spt_anchors *anchors)
{
    if (anchors->nfree == 0)
        grow(L, anchors);
    uint32_t i = anchors->free[--anchors->nfree];
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, i); /* an existing slot: allocates nothing */
    return i;
}

void spt_anchor_push(lua_State *L, uint32_t index)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, index);
}

void *spt_anchor_find(lua_State *L, const struct spt_anchors *anchors, uint32_t index)
{
    int top = lua_gettop(L);
    void *block = NULL;
    if (lua_rawgeti(L, LUA_REGISTRYINDEX, index) == LUA_TUSERDATA && lua_getmetatable(L, -1)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, anchors->meta);
        block = lua_rawequal(L, -1, -2) ? lua_touserdata(L, -3) : NULL;
    }
    lua_settop(L, top);
    return block;
}

void spt_anchor_remove(lua_State *L, struct spt_anchors *anchors, uint32_t index)
{
    lua_pushboolean(L, 0);
    lua_rawseti(L, LUA_REGISTRYINDEX, index);
    anchors->free[anchors->nfree++] = index;
}
