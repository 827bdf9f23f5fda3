/* SPDX-License-Identifier: MIT */
/* Records which failures each task has received, in a weak table of the registry. */
#include "core/failure_origin.h"

#include <lauxlib.h>

#include "core/anchor.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"

/* registry key of a table: by the handle of a task, the failed tasks' handles that it received,
 * each with the number of its delivery */
static const char known = 0;

void spt_failure_origin_open(lua_State *L)
{
    spt_anchor_new_weak_table(L, &known);
}

/* Pushes the table of failed tasks' handles that the task of the given handle has received. Returns
 * false, with nothing pushed, if there is none. */
static bool push_known(lua_State *L, int who)
{
    who = lua_absindex(L, who);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known);
    lua_pushvalue(L, who);
    bool any = lua_rawget(L, -2) == LUA_TTABLE;
    lua_remove(L, -2);
    if (!any)
        lua_pop(L, 1);
    return any;
}

/* Replaces the handle on top of the stack by that of the task in which its failure was first one.
 * Returns that task. */
static struct spt_task *go_to_root(lua_State *L)
{
    struct spt_task *t = lua_touserdata(L, -1);
    if (t->state != SPT_TASK_FAILED)
        return t;
    if (lua_getiuservalue(L, -1, SPT_TASK_UV_ORIGIN) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return t;
    }
    lua_replace(L, -2);
    return lua_touserdata(L, -1);
}

/* Numbers the handle on top of the stack in the set below it. Counts a delivery of `root` if the
 * set did not contain it. */
static void add_delivery(lua_State *L, struct spt_sched *s, struct spt_task *root)
{
    lua_pushvalue(L, -1);
    bool is_new = lua_rawget(L, -3) == LUA_TNIL;
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushinteger(L, (lua_Integer)++s->counts.deliveries);
    lua_rawset(L, -4);
    if (root && is_new)
        root->numbers.deliveries++;
}

void spt_failure_origin_learn(lua_State *L, int handle)
{
    struct spt_sched *s = spt_sched_of(L);
    if (!s || !s->current)
        return;
    luaL_checkstack(L, 8, NULL);
    spt_task_push(L, s->current);
    if (!push_known(L, -1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &known); // stack: ..., current, all
        lua_pushvalue(L, -2);
        lua_newtable(L);
        lua_getmetatable(L, -3);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_insert(L, -4);
        lua_rawset(L, -3); // stack: ..., current, set, all
        lua_pop(L, 1);
    }
    lua_pushvalue(L, handle); // stack: ..., current, set, handle
    struct spt_task *root = go_to_root(L);
    add_delivery(L, s, root);
    lua_pop(L, 1);
    lua_pushvalue(L, handle);
    add_delivery(L, s, NULL);
    lua_pop(L, 3);
}

int spt_failure_origin_raise(lua_State *L, int handle, const struct spt_task *t)
{
    spt_failure_origin_learn(L, handle);
    return spt_traceback_raise_failure(L, handle, t);
}

/* Replaces the error on top of the stack, and the handle below it, by the handle of a failed task.
 * That task failed with the error, and the task of the first handle received its failure. Otherwise
 * pops the error and returns false. If several tasks match, the last delivery counts. */
static bool go_to_source(lua_State *L)
{
    int who = lua_gettop(L) - 1;
    lua_Integer last = 0;
    if (!push_known(L, who)) {
        lua_pop(L, 1);
        return false;
    }
    lua_insert(L, -2); // stack: who, known, error
    for (lua_pushnil(L); lua_next(L, who + 1);) {
        const struct spt_task *t = lua_touserdata(L, -2);
        lua_Integer nth = lua_tointeger(L, -1);
        lua_pop(L, 1);
        lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
        bool same = t->state == SPT_TASK_FAILED && spt_error_same(L, -1, who + 2);
        lua_pop(L, 1);
        if (!same || nth <= last)
            continue;
        last = nth;
        lua_pushvalue(L, -1);
        lua_replace(L, who);
    }
    lua_settop(L, who);
    return last != 0;
}

/* Pushes the handle of a task that failed with the error at `error`, if the task of the given
 * handle has received that failure. Otherwise returns false, with nothing pushed. `origin` is the
 * origin that the error's traceback names, 0 for none. */
static bool push_received(lua_State *L, int who, int error, uint32_t origin)
{
    lua_pushvalue(L, who);
    if (origin == 0) {
        lua_pushvalue(L, error);
        if (go_to_source(L))
            return true;
        lua_pop(L, 1);
        return false;
    }
    if (!push_known(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    for (lua_pushnil(L); lua_next(L, -2);) { // stack: who, known, handle, number
        lua_pop(L, 1);
        if (((const struct spt_task *)lua_touserdata(L, -1))->id != origin)
            continue;
        lua_replace(L, -3);
        lua_pop(L, 1);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

void spt_failure_origin_settle(lua_State *L, struct spt_task *t)
{
    int error = lua_gettop(L);
    struct spt_task *root = t;
    luaL_checkstack(L, 16, NULL);
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_TRACEBACK);
    uint32_t origin = spt_traceback_origin(L, -1);
    lua_pop(L, 1);
    if (push_received(L, error + 1, error, origin == t->id ? 0 : origin)) {
        root = go_to_root(L);
        root->numbers.deliveries--;
    } else {
        lua_pushnil(L);
    }
    lua_setiuservalue(L, error + 1, SPT_TASK_UV_ORIGIN);
    if (t->root.parent->kind.cancels_on_failure)
        root->numbers.deliveries++;
    lua_settop(L, error);
}

bool spt_failure_origin_is_delivered(lua_State *L, struct spt_task *t)
{
    spt_task_push(L, t);
    struct spt_task *root = go_to_root(L);
    lua_pop(L, 1);
    if (root != t && root->numbers.deliveries > 0 && !t->failure.owed_to_group)
        return true;
    root->numbers.deliveries++;
    return false;
}

uint32_t spt_failure_origin_of_task(lua_State *L, int handle)
{
    uint32_t origin = 0;
    luaL_checkstack(L, 10, NULL);
    lua_pushvalue(L, handle);
    for (bool more = true; more;) {
        lua_getiuservalue(L, -1, SPT_TASK_UV_TRACEBACK);
        origin = spt_traceback_origin(L, lua_gettop(L));
        lua_pop(L, 1);
        if (origin != 0)
            break;
        lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
        more = go_to_source(L);
    }
    if (origin == 0)
        origin = ((const struct spt_task *)lua_touserdata(L, -1))->id;
    lua_pop(L, 1);
    return origin;
}

uint32_t spt_failure_origin_of_error(lua_State *L, int error, int traceback)
{
    const struct spt_sched *s = spt_sched_of(L);
    uint32_t origin = spt_traceback_origin(L, traceback);
    if (origin != 0 || !s || !s->current)
        return origin;
    error = lua_absindex(L, error);
    luaL_checkstack(L, 12, NULL);
    spt_task_push(L, s->current);
    lua_pushvalue(L, error);
    if (go_to_source(L))
        origin = spt_failure_origin_of_task(L, lua_gettop(L));
    lua_pop(L, 1);
    return origin;
}
