/* SPDX-License-Identifier: MIT */
/* Moves first calls between stacks and user values. */
#include "core/first_call.h"

#include <lauxlib.h>

#include "core/body.h"
#include "core/hook.h"
#include "core/sched.h"
#include "core/task.h"

bool spt_first_call_fits(int nargs)
{
    return nargs < SPT_TASK_UV_LAST_ARGUMENT;
}

void spt_first_call_keep(lua_State *L, int nargs)
{
    int handle = lua_gettop(L) - nargs - 1;
    for (int uv = nargs + 1; uv > 0; uv--)
        lua_setiuservalue(L, handle, uv);
}

void spt_first_call_give_coroutine(lua_State *L, struct spt_task *t, int nargs)
{
    const struct spt_sched *s = t->sched;
    lua_State *co = lua_tothread(L, -1);
    if (!lua_checkstack(co, nargs + 3))
        luaL_error(L, "too many arguments");
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_pushcfunction(co, spt_body_run);
    lua_pushlightuserdata(co, t);
    spt_hook_begin(co, s, t);
    t->co = co;
}

void spt_first_call_drop(lua_State *L, const struct spt_task *t)
{
    for (int uv = 2; uv <= t->spawn.nargs + 1; uv++) {
        lua_pushnil(L);
        lua_setiuservalue(L, -2, uv);
    }
}

void spt_first_call_push_arguments(lua_State *L, int handle, const struct spt_task *t)
{
    for (int uv = 2; uv <= t->spawn.nargs + 1; uv++)
        lua_getiuservalue(L, handle, uv);
}

void spt_first_call_move(lua_State *L, struct spt_task *t)
{
    int co = lua_gettop(L), handle = co + 1;
    spt_task_push(L, t);
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    spt_first_call_push_arguments(L, handle, t);
    lua_pushvalue(L, handle);
    lua_pushvalue(L, co);
    spt_first_call_give_coroutine(L, t, t->spawn.nargs);
    lua_pop(L, 1);
    lua_xmove(L, t->co, t->spawn.nargs + 1);
    spt_first_call_drop(L, t);
    lua_pop(L, 2);
}
