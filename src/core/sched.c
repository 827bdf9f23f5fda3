/* SPDX-License-Identifier: MIT */
/* Finds the scheduler of a Lua state by a key in the registry. */
#include "core/sched.h"

static const char sched_key = 0; /* its address is the key */

struct spt_sched *spt_sched_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sched_key);
    struct spt_sched *s = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return s;
}

void spt_sched_attach(lua_State *L, struct spt_sched *s)
{
    if (s)
        lua_pushlightuserdata(L, s);
    else
        lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sched_key);
}

void spt_sched_defer(struct spt_sched *s, struct spt_deferred *deferred)
{
    spt_list_push(&s->queues.deferred, &deferred->link);
    spt_sched_wake(s);
}
