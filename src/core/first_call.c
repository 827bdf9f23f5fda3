/* SPDX-License-Identifier: MIT */
/* Moves first calls between stacks and user values. */
#include "core/first_call.h"

#include <assert.h>
#include <lauxlib.h>

#include "core/body.h"
#include "core/hook.h"
#include "core/sched.h"
#include "core/task.h"

/* the user values that hold arguments before the first turn */
static const uint8_t places[] = {SPT_TASK_UV_TRACEBACK, SPT_TASK_UV_SCOPE, SPT_TASK_UV_CLOSERS};

bool spt_first_call_fits(int nargs)
{
    return nargs <= (int)sizeof places;
}

int spt_first_call_place(int argument)
{
    return places[argument - 1];
}

void spt_first_call_keep(lua_State *L, int nargs)
{
    int handle = lua_gettop(L) - nargs - 1;
    for (int i = nargs; i > 0; i--)
        lua_setiuservalue(L, handle, places[i - 1]);
    lua_setiuservalue(L, handle, SPT_TASK_UV_VALUE);
}

/* Makes `co` the coroutine of `t`, with what it runs below the call. */
static void begin(struct spt_task *t, lua_State *co)
{
    lua_pushcfunction(co, spt_body_run);
    lua_pushlightuserdata(co, t);
    spt_hook_begin(co, t->sched, t);
    t->co = co;
}

void spt_first_call_give_coroutine(lua_State *L, struct spt_task *t, int nargs)
{
    lua_State *co = lua_tothread(L, -1);
    if (!lua_checkstack(co, nargs + 3))
        luaL_error(L, "too many arguments");
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    begin(t, co);
}

void spt_first_call_drop(lua_State *L, const struct spt_task *t)
{
    assert(t->numbers.nargs <= (int)sizeof places);
    for (int i = 0; i < t->numbers.nargs; i++) {
        lua_pushnil(L);
        lua_setiuservalue(L, -2, places[i]);
    }
}

void spt_first_call_push_arguments(lua_State *L, int handle, const struct spt_task *t)
{
    assert(t->numbers.nargs <= (int)sizeof places);
    for (int i = 0; i < t->numbers.nargs; i++)
        lua_getiuservalue(L, handle, places[i]);
}

void spt_first_call_lend_coroutine(lua_State *L, struct spt_task *t, lua_State *co)
{
    int handle = lua_gettop(L) + 1;
    spt_task_push(L, t);
    begin(t, co);
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    spt_first_call_push_arguments(L, handle, t);
    lua_xmove(L, co, t->numbers.nargs + 1);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    spt_first_call_drop(L, t);
    lua_pop(L, 1);
}

void spt_first_call_keep_coroutine(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    spt_task_push(s->main, t);
    lua_pushthread(t->co);
    lua_xmove(t->co, s->main, 1);
    lua_setiuservalue(s->main, -2, SPT_TASK_UV_VALUE);
    lua_pop(s->main, 1);
    spt_spare_empty(s->main, &s->pool.spare);
}

void spt_first_call_move(lua_State *L, struct spt_task *t)
{
    int co = lua_gettop(L), handle = co + 1;
    spt_task_push(L, t);
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    spt_first_call_push_arguments(L, handle, t);
    lua_pushvalue(L, handle);
    lua_pushvalue(L, co);
    spt_first_call_give_coroutine(L, t, t->numbers.nargs);
    lua_pop(L, 1);
    lua_xmove(L, t->co, t->numbers.nargs + 1);
    spt_first_call_drop(L, t);
    lua_pop(L, 2);
}
