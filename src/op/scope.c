/* scope: opens a block's scope, waits for its tasks, closes it. Groups, timeouts and shields are Lua over
 * this. The wait is the join of a closing scope: cancellation does not reach it, because the tasks
 * waited for got it already. */
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/scope.h"
#include "core/sched.h"
#include "op/env.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define META "septet.scope"

/* --- the join --- */

struct scope_op {
    septet_op op;
    struct spt_scope *scope; /* kept by the handle at index 1 */
};

static void on_empty(struct spt_scope *scope)
{
    septet_op_done(scope->waiter, SEPTET_OK);
}

static int join_start(septet_op *op)
{
    struct spt_scope *scope = ((struct scope_op *)op)->scope;
    if (scope->ntasks == 0)
        septet_op_done(op, SEPTET_OK);
    else {
        scope->waiter = op;
        scope->on_empty = on_empty;
    }
    return SEPTET_OK;
}

static void join_cancel(septet_op *op)
{
    ((struct scope_op *)op)->scope->on_empty = NULL;
}

static int join_push(septet_op *op, lua_State *L)
{
    return 0;
}

static void join_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "of %u tasks", ((const struct scope_op *)op)->scope->ntasks);
}

static const septet_op_type scope_type = {
    .name = "scope",
    .size = sizeof(struct scope_op),
    .start = join_start,
    .cancel = join_cancel,
    .push = join_push,
    .describe = join_describe,
};

static struct spt_scope *check(lua_State *L, int arg)
{
    return spt_check_udata(L, arg, META, "scope");
}

/* scope_join(scope): waits until no task of the scope lives. */
static int l_join(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    struct scope_op *join = (struct scope_op *)spt_op_new(L, scope->sched, &scope_type);
    join->scope = scope;
    return spt_op_await(L, &join->op, true);
}

/* --- opening and closing --- */

/* scope(gathers, shield, seconds): opens a scope around what the running task does from here on.
 * `gathers`: a task of it that fails cancels the others. `shield`: cancellation from outside stops here.
 * `seconds`: its deadline from now, nil for none. */
static int l_scope(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    struct spt_task *t = s->current;
    uint64_t ns = spt_opt_seconds(L, 3, SPT_NEVER);
    lua_settop(L, 3);
    if (!t)
        return spt_error_usage(L, "cannot open a scope here: not inside a task");
    spt_op_check(L, s); /* its join will have to wait */
    struct spt_scope *scope = lua_newuserdatauv(L, sizeof *scope, 1);
    memset(scope, 0, sizeof *scope);
    luaL_setmetatable(L, META);
    spt_task_push(L, t); // stack: ..., scope, task
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    lua_setiuservalue(L, -3, 1);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_SCOPE);
    lua_pop(L, 1);
    spt_scope_init(scope, s, t->scope, t);
    scope->gathers = lua_toboolean(L, 1);
    scope->shield = lua_toboolean(L, 2);
    if (scope->shield)
        scope->effective = false;
    t->scope = scope;
    if (ns != SPT_NEVER)
        spt_scope_deadline(scope, spt_instant(spt_sched_clock(s), ns));
    return 1;
}

/* scope_close(scope): closes the running task's innermost scope, which must be joined. Returns whether it
 * absorbs the Cancelled that unwinds it, what cancelled it ("deadline", ...) or nil, whether a task of
 * it ended cancelled, and whether it ever had one. */
static int l_close(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    struct spt_task *t = scope->sched->current;
    if (!scope->open)
        return spt_error_usage(L, "the scope is closed");
    if (!t || t->scope != scope)
        return spt_error_usage(L, "scopes close last in, first out, in the task that opened them");
    if (scope->ntasks > 0)
        return spt_error_usage(L, "the scope has live tasks: join it first");
    lua_pushboolean(L, spt_scope_absorbs(scope));
    lua_pushstring(L, scope->source);
    lua_pushboolean(L, scope->child_cancelled);
    lua_pushboolean(L, scope->had_tasks);
    spt_scope_close(scope);
    t->scope = scope->parent;
    spt_task_push(L, t);
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, SPT_TASK_UV_SCOPE);
    lua_pop(L, 1);
    return 4;
}

/* scope:spawn(fn, ...): a task of this scope, by whoever holds it. */
static int l_spawn(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    spt_check_callable(L, 2);
    if (!scope->open)
        return spt_error_usage(L, "the scope is closed");
    spt_task_spawn(L, scope, scope->sched->current, lua_gettop(L) - 2);
    return 1;
}

/* scope:cancel(reason): true the first time. */
static int l_cancel(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    const char *reason = lua_isnoneornil(L, 2) ? NULL : spt_check_string(L, 2, NULL);
    lua_pushboolean(L, spt_scope_cancel(scope, "cancel", reason));
    return 1;
}

/* scope_fail(scope): cancels what is left of a scope whose body failed. */
static int l_fail(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    if (!scope->effective) /* else they have it, with its reason */
        spt_scope_cancel(scope, "sibling", NULL);
    return 0;
}

/* scope_leave(scope): cancels what is left of a scope whose body is over. */
static int l_leave(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    if (scope->ntasks > 0 && !scope->effective)
        spt_scope_cancel(scope, "owner", NULL);
    return 0;
}

/* scope_failed(scope): the next task that failed in the scope and that nobody has seen, oldest first; nil
 * after the last. Its failure counts as seen. */
static int l_failed(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    if (spt_link_alone(&scope->failed))
        return 0;
    struct spt_task *t = SPT_OF(scope->failed.next, struct spt_task, link);
    spt_task_push(L, t);
    t->kept = false;
    spt_task_retrieve(t);
    return 1;
}

/* scope:is_cancelled(): cancelled itself, or from above. */
static int l_is_cancelled(lua_State *L)
{
    struct spt_scope *scope = check(L, 1);
    lua_pushboolean(L, scope->cancelled || scope->effective);
    return 1;
}

/* What a script's group offers; the rest is for the modules that build on scopes. */
static const luaL_Reg methods[] = {
    {"spawn", l_spawn}, {"cancel", l_cancel}, {"is_cancelled", l_is_cancelled}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"scope", l_scope},
                                     {"scope_join", l_join},
                                     {"scope_close", l_close},
                                     {"scope_fail", l_fail},
                                     {"scope_leave", l_leave},
                                     {"scope_failed", l_failed},
                                     {NULL, NULL}};

void spt_open_scope(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
    luaL_getmetatable(L, META);
    lua_setfield(L, -2, "scope_meta");
}
