/* SPDX-License-Identifier: MIT */
/* block_unwind: what ends with a block: the objects that its body has to close, and the blocks that
 * its body left open. */
#include <lauxlib.h>

#include "core/body.h"
#include "core/check.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/block.h"
#include "op/env.h"
#include "op/openers.h"

/* closers(value): returns the object to close at the end of the running task's innermost block, or
 * of the task's body if no block is open. With a value, sets it instead. The object is closed by
 * its method `close`. */
static int l_closers(lua_State *L)
{
    struct spt_task *t = spt_env(L)->sched->current;
    lua_settop(L, 1);
    if (!t)
        return spt_error_usage(L, "cannot wait here: not inside a task");
    bool block = t->scope != &t->root;
    int uv = block ? SPT_BLOCK_UV_CLOSERS : SPT_TASK_UV_CLOSERS;
    spt_task_push(L, t);
    if (block) {
        lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
        lua_replace(L, -2);
    }
    if (lua_isnil(L, 1)) {
        lua_getiuservalue(L, -1, uv);
        return 1;
    }
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, uv);
    t->body.has_closers |= !block;
    return 0;
}

/* scope_closers(scope): returns the closers of a scope that is about to end, and whether its body
 * left blocks open in it. */
static int l_scope_closers(lua_State *L)
{
    const struct spt_scope *scope = spt_block_check_open(L, 1);
    lua_getiuservalue(L, 1, SPT_BLOCK_UV_CLOSERS);
    lua_pushboolean(L, spt_sched_of_scope(scope)->current->scope != scope);
    return 2;
}

/* scope_ends(scope): returns true if the scope's closing variable has to end it, or false if the
 * scope was already unwound. */
static int l_ends(lua_State *L)
{
    bool unwound = SPT_OF(spt_block_check(L, 1), struct spt_block, scope)->unwound;
    if (!unwound)
        spt_block_check_innermost(L, 1);
    lua_pushboolean(L, !unwound);
    return 1;
}

/* scope_caught(scope, error): returns the traceback of the error that unwinds the block of a group.
 * The group is a variable. Returns nil if the traceback is not known. */
static int l_caught(lua_State *L)
{
    spt_block_check(L, 1);
    lua_settop(L, 2);
    if (lua_getiuservalue(L, 1, SPT_BLOCK_UV_CAUGHT) != LUA_TTABLE)
        return 0;
    lua_rawgeti(L, 3, 1);
    if (!lua_rawequal(L, 2, -1))
        return 0;
    lua_rawgeti(L, 3, 2);
    return 1;
}

/* scope_left(outer): returns the innermost block open in the running task and marks it as unwound,
 * because its own code left it open. Returns nil if that block is `outer`, a scope or its
 * address. */
static int l_left(lua_State *L)
{
    struct spt_task *t = spt_env(L)->sched->current;
    if (!t || !spt_block_is_inside(t, lua_touserdata(L, 1)))
        return 0;
    SPT_OF(t->scope, struct spt_block, scope)->unwound = true;
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    return 1;
}

/* scope_abandon(scope): warns that the running task left the block open, and cancels its remaining
 * tasks. */
static int l_abandon(lua_State *L)
{
    struct spt_scope *scope = spt_block_check_innermost(L, 1);
    spt_inspect_warn_left(scope);
    spt_scope_cancel(scope, "owner", NULL);
    return 0;
}

/* frames(coroutine): returns the lines of the stack of a dead coroutine. */
static int l_frames(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    spt_frames_push(L, lua_tothread(L, 1), 0);
    return 1;
}

static const luaL_Reg functions[] = {{"closers", l_closers}, {"scope_closers", l_scope_closers},
                                     {"scope_ends", l_ends}, {"scope_caught", l_caught},
                                     {"scope_left", l_left}, {"scope_abandon", l_abandon},
                                     {"frames", l_frames},   {NULL, NULL}};

void spt_open_block_unwind(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
