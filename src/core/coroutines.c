/* Keeps the pool in a weak table, which the next collection empties, and the anchors in another
 * table. */
#include "core/coroutines.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>

#include "core/sched.h"
#include "core/task.h"

/* --- anchors --- */

static void grow_anchors(lua_State *L, struct spt_sched *s)
{
    uint32_t n = s->nanchors ? s->nanchors * 2 : 64;
    uint32_t *slots = realloc(s->free_anchors, n * sizeof *slots);
    if (!slots)
        luaL_error(L, "not enough memory");
    s->free_anchors = slots;
    for (uint32_t i = n; i > s->nanchors; i--)
        slots[s->nfree++] = i;
    s->nanchors = n;
}

uint32_t spt_coroutines_anchor(lua_State *L, struct spt_sched *s)
{
    if (s->nfree == 0)
        grow_anchors(L, s);
    uint32_t i = s->free_anchors[s->nfree - 1];
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->anchors_ref);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, i);
    lua_pop(L, 1);
    s->nfree--;
    return i;
}

void spt_coroutines_release_anchor(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_rawgeti(s->main, LUA_REGISTRYINDEX, s->anchors_ref);
    lua_pushnil(s->main);
    lua_rawseti(s->main, -2, t->anchor); /* an existing slot: allocates nothing */
    lua_pop(s->main, 1);
    s->free_anchors[s->nfree++] = t->anchor;
    t->anchor = 0;
}

/* --- the pool --- */

/* Makes an empty pool with room for all live tasks. */
void spt_coroutines_make_pool(lua_State *L, struct spt_sched *s)
{
    uint32_t room = s->pool_room ? s->pool_room : 256;
    while (room < s->live && room < INT_MAX / 2)
        room *= 2;
    lua_createtable(L, (int)room, 0); /* full size, so that filling it cannot fail */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, s->pool_ref);
    s->pool_room = room;
}

int spt_coroutines_new(lua_State *L)
{
    struct spt_sched *s = lua_touserdata(L, 1);
    if (s->live > s->pool_room)
        spt_coroutines_make_pool(L, s);
    lua_newthread(L);
    return 1;
}

/* Pops a pooled coroutine. A missing entry means that a collection has emptied the weak table. */
bool spt_coroutines_take(lua_State *L, struct spt_sched *s)
{
    if (s->npool == 0)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->pool_ref);
    if (lua_rawgeti(L, -1, s->npool) != LUA_TTHREAD) {
        lua_pop(L, 2);
        s->npool = 0;
        return false;
    }
    lua_pushnil(L);
    lua_rawseti(L, -3, s->npool--);
    lua_remove(L, -2);
    return true;
}

void spt_coroutines_recycle(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    if (t->coroutine_seen || s->npool == s->pool_room || lua_gethook(t->co) != s->hook ||
        (s->hook && lua_gethookcount(t->co) != s->hook_count)) /* its turn was over the limit */
        return;
    lua_rawgeti(s->main, LUA_REGISTRYINDEX, s->pool_ref);
    lua_pushthread(t->co);
    lua_xmove(t->co, s->main, 1);
    lua_rawseti(s->main, -2, ++s->npool); /* the table was made with this room: allocates nothing */
    lua_pop(s->main, 1);
}
