/* SPDX-License-Identifier: MIT */
/* Implements tasks for scripts: spawning, and the methods and properties of a handle. */
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/failure_origin.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/spawn.h"
#include "core/task.h"
#include "core/traceback.h"
#include "lua/lib.h"
#include "op/env.h"

static const char *const state_words[] = {
#define XX(name, word) [SPT_TASK_##name] = word,
    SPT_TASK_MAP(XX)
#undef XX
};

static void check_function(lua_State *L)
{
    if (lua_isnone(L, 1))
        spt_error_arg(
            L, 1, "function expected, got no value: was the function called instead of passed?");
    spt_check_callable(L, 1);
}

/* Spawns a task in the innermost open scope. In a callback of luv, it belongs to the run. */
static struct spt_task *spawn(lua_State *L, int nargs)
{
    const struct spt_env *env = spt_env(L);
    struct spt_task *t = env->sched->current;
    if (!t && env->luv_calls > 0)
        return spt_spawn_detached(L, env->sched, nargs);
    if (!t)
        spt_error_usage(L, "cannot spawn here: not inside a task");
    return spt_spawn_task(L, t->scope, t, nargs);
}

/* spawn(fn, ...): spawns a task that will call fn(...), owned by the innermost open scope. */
static int l_spawn(lua_State *L)
{
    check_function(L);
    spawn(L, lua_gettop(L) - 1);
    return 1;
}

/* spawn_for(item, fn, ...): spawns a task that will call fn(...), like spawn(), and names it by the
 * item. */
static int l_spawn_for(lua_State *L)
{
    spt_check_callable(L, 2);
    spt_spawn_name_by_item(L, spawn(L, lua_gettop(L) - 2), 1);
    return 1;
}

/* background(fn, ...): like spawn(), but the task is owned by the run, or by its script. */
static int l_background(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    check_function(L);
    if (s->current)
        spt_spawn_background(L, s->current, lua_gettop(L) - 1);
    else
        spawn(L, lua_gettop(L) - 1);
    return 1;
}

/* current(): returns the running task's handle, or nil outside tasks. */
static int l_current(lua_State *L)
{
    spt_check_most(L, 0);
    struct spt_task *t = spt_env(L)->sched->current;
    if (!t)
        return 0;
    spt_task_push(L, t);
    return 1;
}

/* now(): returns the current seconds on the host's clock. */
static int l_now(lua_State *L)
{
    spt_check_most(L, 0);
    lua_pushnumber(L, spt_time_seconds(spt_sched_clock(spt_env(L)->sched)));
    return 1;
}

/* is(value, kind): returns true if the value is a Septet error of that kind, or of any kind without
 * one. */
static int l_is(lua_State *L)
{
    spt_check_most(L, 2);
    const char *kind = lua_isnoneornil(L, 2) ? NULL : spt_check_string(L, 2, NULL);
    lua_pushboolean(L, lua_gettop(L) >= 1 && spt_error_is(L, 1, kind));
    return 1;
}

/* error(fields): makes the table an error object and returns it. It must have `kind` and
 * `message`. */
static int l_error(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, SPT_ERROR_META);
    return 1;
}

/* seen(task): marks the task as observed, so that its failure is not reported. */
static int l_seen(lua_State *L)
{
    struct spt_task *t = spt_check_task(L, 1);
    spt_task_observe(t);
    if (t->state == SPT_TASK_FAILED)
        spt_failure_origin_learn(L, 1);
    return 0;
}

/* late(task): excludes the task's failure, if it is reported, from the result of the run. */
static int l_late(lua_State *L)
{
    spt_check_task(L, 1)->failure.secondary = true;
    return 0;
}

/* warn(message): passes a warning to the host. */
static int l_warn(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    s->hooks.warn(s->hooks.ud, spt_check_string(L, 1, NULL));
    return 0;
}

/* --- methods of a handle --- */

/* task:cancel(reason): asks the task to end at its next wait. Returns true for the first request to
 * a live task. */
static int l_cancel(lua_State *L)
{
    spt_check_most(L, 2);
    struct spt_task *t = spt_check_task(L, 1);
    if (!lua_isnoneornil(L, 2))
        spt_check_string(L, 2, NULL);
    bool first = spt_scope_cancel(&t->root, "cancel", NULL);
    if (first)
        spt_reason_keep(L, &t->root, 1, 2);
    lua_pushboolean(L, first);
    return 1;
}

/* task:status(): returns "pending", "running", "suspended", "done", "failed" or "cancelled". */
static int l_status(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushstring(L, state_words[spt_check_task(L, 1)->state]);
    return 1;
}

static int push_result(lua_State *L, struct spt_task *t)
{
    if (t->state == SPT_TASK_DONE)
        return spt_task_push_results(L, 1, t);
    lua_getiuservalue(L, 1, SPT_TASK_UV_VALUE);
    return 1;
}

/* task:result(): returns true and the task's results, or false and its error. Never waits. */
static int l_result(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_task *t = spt_check_task(L, 1);
    if (!spt_task_ended(t))
        return spt_error_usage(L, "the task has not ended");
    lua_settop(L, 1);
    spt_task_observe(t);
    if (t->state == SPT_TASK_FAILED)
        spt_failure_origin_learn(L, 1);
    lua_pushboolean(L, t->state == SPT_TASK_DONE);
    return 1 + push_result(L, t);
}

/* --- tracebacks: the stack of a task, and of the tasks it waits for --- */

#define AWAITED_MAX 8 /* levels of waits, and tasks of one wait, in a traceback */

struct awaited {
    lua_State *L;
    unsigned depth, added, more;
};

static void add_stack(lua_State *L, const struct spt_task *t, unsigned depth);

/* Adds the stack of an awaited task to the text on top. */
static void add_awaited(void *ud, void *task)
{
    struct awaited *a = ud;
    const struct spt_task *t = task;
    char name[128];
    if (a->added == AWAITED_MAX) {
        a->more++;
        return;
    }
    a->added++;
    spt_inspect_name(t, name, sizeof name);
    luaL_checkstack(a->L, 8, NULL);
    lua_pushfstring(a->L, "\nwaits for task '%s', at", name);
    lua_concat(a->L, 2);
    add_stack(a->L, t, a->depth + 1);
}

static void push_stack(lua_State *L, lua_State *co)
{
    lua_pushliteral(L, "stack traceback:");
    spt_frames_push(L, co, 0);
    lua_concat(L, 2);
}

/* Adds the stack of a live task, and of the tasks it waits for, to the text on top. */
static void add_stack(lua_State *L, const struct spt_task *t, unsigned depth)
{
    struct awaited a = {.L = L, .depth = depth};
    if (t->state == SPT_TASK_NEW) {
        lua_pushliteral(L, "\nstack traceback:");
        spt_inspect_push_site(L, t);
        lua_concat(L, 3);
    } else if (t->co) {
        bool inner = t->state == SPT_TASK_WAITING && spt_task_waits_in(t) != t->co;
        lua_pushliteral(L, "\n");
        if (inner) {
            push_stack(L, spt_task_waits_in(t));
            lua_pushliteral(L, "\nin a coroutine resumed by\n");
            lua_concat(L, 3);
        }
        push_stack(L, t->co);
        spt_inspect_push_site(L, t);
        lua_concat(L, 4);
    } else if (t->body.bare) {
        lua_pushliteral(L, "\nstack traceback:");
        spt_task_push(L, t);
        spt_frames_push_bare(L);
        spt_inspect_push_site(L, t);
        lua_concat(L, 4);
    }
    if (depth == AWAITED_MAX)
        return;
    spt_inspect_blockers(t, add_awaited, &a);
    if (a.more) {
        lua_pushfstring(L, "\nwaits for %d tasks more", (int)a.more);
        lua_concat(L, 2);
    }
}

/* task:traceback(): returns where the task failed, or where it is now. The text includes the line
 * that spawned it, and the stacks of the tasks it waits for. */
static int l_traceback(lua_State *L)
{
    spt_check_most(L, 1);
    struct spt_task *t = spt_check_task(L, 1);
    if (!spt_task_ended(t)) {
        lua_pushliteral(L, "");
        add_stack(L, t, 0);
        lua_pushstring(L, lua_tostring(L, -1) + (*lua_tostring(L, -1) == '\n'));
    } else {
        lua_getiuservalue(L, 1, SPT_TASK_UV_TRACEBACK);
        spt_traceback_render(L);
    }
    return 1;
}

/* task:waits_for(): returns a description of the wait, or "" if the task does not wait. */
static int l_waits_for(lua_State *L)
{
    spt_check_most(L, 1);
    char text[512];
    spt_inspect_waits_for(spt_check_task(L, 1), text, sizeof text);
    lua_pushstring(L, text);
    return 1;
}

/* Looks up methods (the second upvalue), then the properties name and id. */
static int l_index(lua_State *L)
{
    if (lua_gettop(L) != 2)
        lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    struct spt_task *t = spt_check_task(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "name") == 0)
        spt_inspect_push_name(L, 1, t);
    else if (strcmp(key, "id") == 0)
        lua_pushinteger(L, t->id);
    else
        return spt_check_no_field(L, "task", lua_upvalueindex(2));
    return 1;
}

static int l_newindex(lua_State *L)
{
    struct spt_task *t = spt_check_task(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "name") != 0)
        return spt_error_usage(L, "a task has no field '%s' to set; only 'name'",
                               luaL_tolstring(L, 2, NULL));
    if (lua_type(L, 3) != LUA_TSTRING)
        return spt_error_usage(L, "bad value for a task's name (string expected, got %s)",
                               luaL_typename(L, 3));
    size_t len;
    const char *name = lua_tolstring(L, 3, &len);
    lua_settop(L, 3);
    lua_setiuservalue(L, 1, SPT_TASK_UV_NAME);
    t->body.named_by_item = false;
    spt_trace_put(&t->sched->trace,
                  (struct spt_rec){.t = t->sched->now_ns,
                                   .task = t->id,
                                   .kind = SPT_REC_NAME,
                                   .a = spt_trace_text(&t->sched->trace, name, len)});
    return 0;
}

static int l_tostring(lua_State *L)
{
    struct spt_task *t = spt_check_task(L, 1);
    char name[512];
    spt_inspect_label(L, 1, t, name, sizeof name);
    lua_pushfstring(L, "task '%s' (%s)", name, state_words[t->state]);
    return 1;
}

/* --- all tasks --- */

static void push_task_row(lua_State *L, const struct spt_task *t)
{
    char text[512];
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, t->id);
    lua_setfield(L, -2, "id");
    spt_task_push(L, t);
    spt_inspect_push_name(L, lua_gettop(L), t);
    lua_remove(L, -2);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, state_words[t->state]);
    lua_setfield(L, -2, "status");
    spt_inspect_waits_for(t, text, sizeof text);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "waits_for");
    if (t->spawn.place) {
        spt_inspect_write_place(&t->sched->trace, t->spawn.place, text, sizeof text);
        lua_pushstring(L, text);
        lua_setfield(L, -2, "spawned_at");
    }
    lua_newtable(L);
    lua_setfield(L, -2, "children");
}

/* Appends the tasks below `scope` to the table on top, each with its own children in `children`. */
static void push_children(lua_State *L, const struct spt_scope *scope)
{
    luaL_checkstack(L, 8, "tree too deep");
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        const struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (!child->kind.is_root) {
            push_children(L, child);
            continue;
        }
        push_task_row(L, spt_task_of_scope(child));
        lua_getfield(L, -1, "children");
        push_children(L, child);
        lua_pop(L, 1);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
}

/* tree(): returns the live tasks as a tree: {{id=, name=, status=, waits_for=, spawned_at=,
 * children=}, ...}. */
static int l_tree(lua_State *L)
{
    spt_check_most(L, 0);
    struct spt_sched *s = spt_env(L)->sched;
    lua_newtable(L);
    push_children(L, &s->tree.mains);
    push_children(L, &s->tree.background);
    return 1;
}

/* foreground(is): true: an interrupt cancels the running task, with all below it, and no other,
 * until the next call, or until the task ends. false: it cancels none. nil: it cancels the main
 * tasks again. */
static int l_foreground(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    s->interrupt.only_foreground = !lua_isnoneornil(L, 1);
    s->interrupt.foreground = lua_toboolean(L, 1) && s->current ? &s->current->root : NULL;
    spt_sched_interrupt_delivered(s); /* one that came before, or that came too late */
    return 0;
}

static const luaL_Reg functions[] = {{"spawn", l_spawn},
                                     {"foreground", l_foreground},
                                     {"spawn_for", l_spawn_for},
                                     {"background", l_background},
                                     {"current", l_current},
                                     {"now", l_now},
                                     {"is", l_is},
                                     {"error", l_error},
                                     {"seen", l_seen},
                                     {"late", l_late},
                                     {"warn", l_warn},
                                     {"tree", l_tree},
                                     {NULL, NULL}};

static const luaL_Reg methods[] = {{"cancel", l_cancel},       {"status", l_status},
                                   {"result", l_result},       {"traceback", l_traceback},
                                   {"waits_for", l_waits_for}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__newindex", l_newindex}, {"__tostring", l_tostring}, {NULL, NULL}};

void spt_open_task(lua_State *L, struct spt_env *env)
{
    int core = lua_gettop(L);
    spt_add_functions(L, env, functions);
    luaL_getmetatable(L, SPT_ERROR_META);
    lua_setfield(L, core, "error_meta");
    luaL_newmetatable(L, SPT_TASK_META);
    lua_pushvalue(L, -1);
    lua_setfield(L, core, "task_meta");
    spt_add_functions(L, env, metamethods);
    lua_pushlightuserdata(L, env);
    lua_newtable(L); // stack: core, meta, env, methods
    spt_add_functions(L, env, methods);
    lua_getfield(L, core, "await");
    lua_setfield(L, -2, "await");
    lua_pushcclosure(L, l_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
