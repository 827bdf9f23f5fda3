/* SPDX-License-Identifier: MIT */
/* Anchors by tables in the registry: one from the address of a block to its userdata, and others
 * from small indices. */
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

void spt_anchor_open_table(lua_State *L, struct spt_anchors *anchors)
{
    lua_newtable(L);
    anchors->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void spt_anchor_release_table(lua_State *L, struct spt_anchors *anchors)
{
    luaL_unref(L, LUA_REGISTRYINDEX, anchors->ref);
    free(anchors->free);
    anchors->free = NULL;
}

static void grow(lua_State *L, struct spt_anchors *anchors)
{
    uint32_t room = anchors->room ? anchors->room * 2 : 64;
    uint32_t *slots = realloc(anchors->free, room * sizeof *slots);
    if (!slots)
        luaL_error(L, "not enough memory");
    anchors->free = slots;
    for (uint32_t i = room; i > anchors->room; i--)
        slots[anchors->nfree++] = i;
    anchors->room = room;
}

uint32_t spt_anchor_add(lua_State *L, struct spt_anchors *anchors)
{
    if (anchors->nfree == 0)
        grow(L, anchors);
    uint32_t i = anchors->free[anchors->nfree - 1];
    lua_rawgeti(L, LUA_REGISTRYINDEX, anchors->ref);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, i);
    lua_pop(L, 1);
    anchors->nfree--;
    return i;
}

void spt_anchor_push(lua_State *L, const struct spt_anchors *anchors, uint32_t index)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, anchors->ref);
    lua_rawgeti(L, -1, index);
    lua_replace(L, -2);
}

void spt_anchor_remove(lua_State *L, struct spt_anchors *anchors, uint32_t index)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, anchors->ref);
    lua_pushnil(L);
    lua_rawseti(L, -2, index); /* an existing slot: allocates nothing */
    lua_pop(L, 1);
    anchors->free[anchors->nfree++] = index;
}
