/* SPDX-License-Identifier: MIT */
/* block: opens a block's scope, waits for its tasks, and closes it. The modules in Lua build
 * groups, timeouts and shields on this. The wait is the join of a closing scope. Cancellation does
 * not reach it, because the awaited tasks have received it already. */
#include "op/block.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/finish.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/scope.h"
#include "core/spawn.h"
#include "core/task.h"
#include "core/traceback.h"
#include "op/env.h"
#include "op/openers.h"

/* --- the join --- */

struct scope_op {
    septet_op op;
    struct spt_scope *scope; /* kept alive by the handle at index 1 */
};

/* Completes the join. Nothing can be spawned in the scope from here on, because the join would not
 * wait for it. */
static void on_empty(struct spt_scope *scope)
{
    scope->tasks.joined = true;
    septet_op_done(SPT_OF(scope, struct spt_block, scope)->on_empty.waiter, SEPTET_OK);
}

static int join_start(septet_op *op)
{
    struct spt_scope *scope = ((struct scope_op *)op)->scope;
    struct spt_empty_watch *watch = &SPT_OF(scope, struct spt_block, scope)->on_empty;
    watch->waiter = op;
    if (scope->tasks.live == 0)
        on_empty(scope);
    else
        watch->fire = on_empty;
    return SEPTET_OK;
}

static void join_cancel(septet_op *op)
{
    SPT_OF(((struct scope_op *)op)->scope, struct spt_block, scope)->on_empty.fire = NULL;
}

static int join_push(septet_op *op, lua_State *L)
{
    return 0;
}

static void join_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "of %u tasks", ((const struct scope_op *)op)->scope->tasks.live);
}

static void join_blockers(const septet_op *op, void (*visit)(void *ud, void *task), void *ud)
{
    spt_inspect_children(((const struct scope_op *)op)->scope, visit, ud);
}

static const septet_op_type scope_type = {
    .name = "scope",
    .size = sizeof(struct scope_op),
    .start = join_start,
    .cancel = join_cancel,
    .push = join_push,
    .describe = join_describe,
    .blockers = join_blockers,
};

struct spt_scope *spt_block_check(lua_State *L, int arg)
{
    return spt_check_udata(L, arg, SPT_BLOCK_META, "group");
}

static int raise_misplaced(lua_State *L)
{
    return spt_error_usage(L, "scopes close last in, first out, in the task that opened them");
}

/* Checks that the running task opened the scope. Every function that ends a scope calls this first,
 * so that another task neither marks the scope nor waits for it. */
static struct spt_scope *check_own(lua_State *L, int arg)
{
    struct spt_scope *scope = spt_block_check(L, arg);
    const struct spt_task *t = spt_sched_of_scope(scope)->current;
    if (!t || t->id != SPT_OF(scope, struct spt_block, scope)->owner)
        raise_misplaced(L);
    return scope;
}

struct spt_scope *spt_block_check_open(lua_State *L, int arg)
{
    struct spt_scope *scope = check_own(L, arg);
    const struct spt_task *t = spt_sched_of_scope(scope)->current;
    const struct spt_scope *floor =
        t->sched->run.turns.frame ? t->sched->run.turns.frame->scope : &t->root;
    if (!scope->open)
        spt_error_usage(L, "the group is closed");
    for (const struct spt_scope *s = t->scope; s != floor && s != &t->root; s = s->parent)
        if (s == scope)
            return scope;
    raise_misplaced(L);
    return NULL;
}

/* Like spt_block_check_open(), but also checks that the scope is the innermost one. */
struct spt_scope *spt_block_check_innermost(lua_State *L, int arg)
{
    struct spt_scope *scope = spt_block_check_open(L, arg);
    if (spt_sched_of_scope(scope)->current->scope != scope)
        raise_misplaced(L);
    return scope;
}

/* scope_join(scope): waits until the scope has no live task. Only the task that opened the scope
 * may call it, because the scope has one waiter and cancellation does not reach the wait. */
int spt_block_join(lua_State *L)
{
    struct spt_scope *scope = check_own(L, 1);
    struct scope_op *join =
        (struct scope_op *)spt_op_new(L, spt_sched_of_scope(scope), &scope_type);
    join->scope = scope;
    return spt_op_wait(L, &join->op, true);
}

bool spt_block_is_innermost(const struct spt_scope *scope)
{
    const struct spt_task *t = spt_sched_of_scope(scope)->current;
    const struct spt_frame *frame = t ? t->sched->run.turns.frame : NULL;
    return t && scope->open && t->scope == scope && (!frame || frame->scope != scope) &&
           t->id == SPT_OF(scope, const struct spt_block, scope)->owner;
}

/* --- opening and closing --- */

struct spt_scope *spt_block_open(lua_State *L, struct spt_sched *s, struct spt_scope_kind kind,
                                 uint64_t ns)
{
    struct spt_task *t = s->current;
    if (!t)
        spt_error_usage(L, "cannot open a scope here: not inside a task");
    spt_op_check(L, s); /* its join will have to wait */
    struct spt_block *block = lua_newuserdatauv(L, sizeof *block, SPT_BLOCK_UV_LAST);
    struct spt_scope *scope = &block->scope; /* the other functions use the userdata as this */
    memset(block, 0, sizeof *block);
    block->owner = t->id;
    block->task = t;
    block->due_ns = SPT_NEVER;
    spt_link_init(&block->starts);
    spt_link_init(&block->start);
    luaL_setmetatable(L, SPT_BLOCK_META);
    spt_task_push(L, t); // stack: ..., scope, task
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    lua_setiuservalue(L, -3, SPT_BLOCK_UV_AROUND);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_SCOPE);
    lua_pop(L, 1);
    kind.is_block = true;
    spt_scope_open(scope, &block->lists, kind, t->scope);
    if (scope->kind.cancels_children_only) /* a variable, which may be left open */
        spt_trace_pin(&s->trace, block->spawn_place = spt_inspect_place(L, s, 1));
    t->scope = scope;
    if (ns != SPT_NEVER)
        spt_scope_set_deadline(block, spt_timer_instant(spt_sched_clock(s), ns));
    return scope;
}

/* scope(is_group, shield, seconds, tasks_only): opens a scope in the running task. `is_group`: a
 * task that fails cancels the others. `shield`: cancellation from outside stops here. `seconds`:
 * its deadline from now, nil for none. `tasks_only`: cancelling it cancels only its tasks. */
static int l_scope(lua_State *L)
{
    uint64_t ns = spt_check_opt_seconds(L, 3, SPT_NEVER);
    lua_settop(L, 4);
    if (lua_toboolean(L, 4)) /* no allocation may follow once the scope is open */
        spt_traceback_push_handler(L, false);
    spt_block_open(L, spt_env(L)->sched,
                   (struct spt_scope_kind){.shield = lua_toboolean(L, 2),
                                           .cancels_on_failure = lua_toboolean(L, 1),
                                           .cancels_children_only = lua_toboolean(L, 4)},
                   ns);
    if (lua_toboolean(L, 4)) {
        lua_pushvalue(L, 5);
        lua_setiuservalue(L, -2, SPT_BLOCK_UV_HANDLER);
    }
    return 1;
}

bool spt_block_is_inside(const struct spt_task *t, const void *outer)
{
    const struct spt_scope *s = t->scope;
    while (s != outer && s != &t->root)
        s = s->parent;
    return s == outer && s != t->scope;
}

void spt_block_close(lua_State *L, int handle)
{
    struct spt_scope *scope = lua_touserdata(L, handle);
    struct spt_task *t = spt_task_of_scope(scope);
    handle = lua_absindex(L, handle);
    spt_scope_close(scope);
    t->scope = scope->parent;
    spt_task_push(L, t);
    lua_getiuservalue(L, handle, SPT_BLOCK_UV_AROUND);
    lua_setiuservalue(L, -2, SPT_TASK_UV_SCOPE);
    lua_pop(L, 1);
}

/* scope_close(scope): closes the running task's innermost scope, which must be joined. Returns
 * whether it absorbs the Cancelled that unwinds it, and what cancelled it ("deadline", ...) or nil.
 * Then returns whether a task of it ended cancelled, and whether it ever had a task. */
static int l_close(lua_State *L)
{
    struct spt_scope *scope = spt_block_check_innermost(L, 1);
    if (scope->tasks.live > 0)
        return spt_error_usage(L, "the scope has live tasks: join it first");
    lua_pushboolean(L, spt_scope_catches_cancel(scope));
    lua_pushstring(L, spt_scope_cancel_source(scope));
    lua_pushboolean(L, scope->tasks.cancelled);
    lua_pushboolean(L, scope->tasks.any);
    spt_block_close(L, 1);
    return 4;
}

/* scope:cancel(reason): cancels the scope, or its tasks only. Returns true the first time. */
static int l_cancel(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_scope *scope = spt_block_check(L, 1);
    uint64_t nth = scope->tree->cancellations;
    if (!lua_isnoneornil(L, 2))
        spt_check_string(L, 2, NULL);
    bool first = scope->kind.cancels_children_only ? spt_scope_cancel_tasks(scope, "cancel", NULL)
                                                   : spt_scope_cancel(scope, "cancel", NULL);
    if (first)
        spt_reason_keep(L, scope, 1, 2);
    if (first && scope->kind.cancels_children_only)
        spt_reason_keep_tasks(L, scope, nth, 2);
    lua_pushboolean(L, first);
    return 1;
}

/* scope:extend(seconds): postpones its deadline. Returns false if the scope is closed or cancelled,
 * or the deadline has passed. */
static int l_extend(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_scope *scope = spt_block_check(L, 1);
    uint64_t ns = spt_check_seconds(L, 2);
    if (spt_scope_due(scope) == SPT_NEVER)
        return spt_error_usage(L, "cannot extend: the block has no deadline");
    bool in_time = scope->open && !spt_scope_is_cancelled(scope) &&
                   spt_sched_clock(spt_sched_of_scope(scope)) < spt_scope_due(scope);
    if (in_time)
        spt_scope_set_deadline(SPT_OF(scope, struct spt_block, scope),
                               spt_timer_instant(spt_scope_due(scope), ns));
    lua_pushboolean(L, in_time);
    return 1;
}

/* scope_fail(scope): cancels the remaining tasks of a scope after its body failed. */
static int l_fail(lua_State *L)
{
    struct spt_scope *scope = spt_block_check_innermost(L, 1);
    if (!scope->cancel_pending) /* otherwise they are cancelled already, with its reason */
        spt_scope_cancel(scope, "sibling", NULL);
    return 0;
}

/* scope_leave(scope): cancels the remaining tasks of a scope after its body ended. */
static int l_leave(lua_State *L)
{
    spt_finish_leave(spt_block_check_innermost(L, 1));
    return 0;
}

/* scope_expect(scope, nursery): keeps the scope open until the nursery closes. The nursery's task
 * will move to the scope. */
static int l_expect(lua_State *L)
{
    struct spt_scope *into = spt_block_check(L, 1), *nursery = spt_block_check_innermost(L, 2);
    if (!into->open || into->tasks.joined)
        return spt_error_usage(L, "the group is closed");
    spt_finish_expect(SPT_OF(into, struct spt_block, scope),
                      SPT_OF(nursery, struct spt_block, scope));
    return 0;
}

/* scope_move(task, scope): moves a live task to another scope. */
static int l_move(lua_State *L)
{
    struct spt_task *t = spt_check_task(L, 1);
    struct spt_scope *scope = spt_block_check(L, 2);
    if (!scope->open || scope->tasks.joined)
        return spt_error_usage(L, "the group is closed");
    if (spt_task_ended(t))
        return spt_error_usage(L, "the task has ended");
    for (const struct spt_scope *around = scope; around; around = around->parent)
        if (around == &t->root)
            return spt_error_usage(L, "a task cannot be moved into itself");
    if (spt_scope_move(&t->root, scope))
        spt_reason_inherit(L, t, 1);
    return 0;
}

/* current_scope(): returns the innermost block open in the running task, or nil outside any
 * block. */
static int l_current(lua_State *L)
{
    spt_check_most(L, 0);
    struct spt_task *t = spt_env(L)->sched->current;
    if (!t)
        return 0;
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    return 1;
}

/* deadline(): returns the instant of the deadline in force for the running task, inf if there is
 * none, or -inf once the task is cancelled. */
static int l_deadline(lua_State *L)
{
    spt_check_most(L, 0);
    struct spt_sched *s = spt_env(L)->sched;
    const struct spt_task *t = s->current;
    uint64_t limit_ns = t ? t->scope->effective_deadline_ns : SPT_NEVER;
    if (t && spt_op_check_cancelled(s))
        lua_pushnumber(L, -HUGE_VAL);
    else
        lua_pushnumber(L, limit_ns == SPT_NEVER ? HUGE_VAL : spt_time_seconds(limit_ns));
    return 1;
}

/* scope_failed(scope): returns the next failed task of the scope that was not observed, oldest
 * first, or nil after the last. Marks the task as observed. */
static int l_failed(lua_State *L)
{
    struct spt_scope *scope = check_own(L, 1);
    const struct spt_link *failed = &spt_scope_lists(scope)->failed;
    if (spt_list_is_empty(failed))
        return 0;
    struct spt_task *t = SPT_OF(failed->next, struct spt_task, link);
    spt_task_push(L, t);
    spt_task_collect(t);
    return 1;
}

/* scope:is_cancelled(): returns true if the scope or one around it was cancelled. */
static int l_is_cancelled(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_scope *scope = spt_block_check(L, 1);
    lua_pushboolean(L, scope->cancel.words || scope->cancel_pending);
    return 1;
}

/* Looks up methods (the second upvalue), then the properties deadline, expired and is_open. */
static int l_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    const struct spt_scope *scope = spt_block_check(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "deadline") == 0)
        lua_pushnumber(L, spt_scope_due(scope) == SPT_NEVER
                              ? HUGE_VAL
                              : spt_time_seconds(spt_scope_due(scope)));
    else if (strcmp(key, "expired") == 0)
        lua_pushboolean(L, spt_scope_is_cancelled(scope) &&
                               strcmp(spt_scope_cancel_source(scope), "deadline") == 0);
    else if (strcmp(key, "is_open") == 0)
        lua_pushboolean(L, scope->open && !scope->tasks.joined);
    else
        return spt_check_no_field(L, "group", lua_upvalueindex(2));
    return 1;
}

/* The methods of a script's group, without those that spawn. All other functions are for the
 * modules built on scopes. */
static const luaL_Reg methods[] = {
    {"cancel", l_cancel}, {"is_cancelled", l_is_cancelled}, {"extend", l_extend}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"scope", l_scope},
                                     {"scope_join", spt_block_join},
                                     {"scope_close", l_close},
                                     {"scope_fail", l_fail},
                                     {"scope_leave", l_leave},
                                     {"scope_failed", l_failed},
                                     {"scope_move", l_move},
                                     {"scope_expect", l_expect},
                                     {"current_scope", l_current},
                                     {"deadline", l_deadline},
                                     {NULL, NULL}};

void spt_open_block(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_BLOCK_META, methods);
    spt_add_functions(L, env, functions);
    luaL_getmetatable(L, SPT_BLOCK_META);
    lua_pushlightuserdata(L, env);
    lua_getfield(L, -2, "__index"); /* stack: core, metatable, env, methods */
    lua_pushvalue(L, -1);
    lua_setfield(L, -5, "scope_methods");
    lua_pushcclosure(L, l_index, 2);
    lua_setfield(L, -2, "__index");
    lua_setfield(L, -2, "scope_meta");
}
