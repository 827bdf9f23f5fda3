/* Spawns, resumes and ends tasks, and is the only writer of their states. */
#include "core/task.h"

#include <assert.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "core/coroutines.h"
#include "core/deadlock.h"
#include "core/error.h"
#include "core/hook.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/origin.h"
#include "core/reason.h"
#include "core/sched.h"
#include "core/frames.h"
#include "core/traceback.h"

/* number of operations that may complete at once in one turn, before the others get theirs */
#define BUDGET 128

/* --- the state machine --- */

#ifndef NDEBUG
#define BIT(state) (1u << SPT_TASK_##state)

static const unsigned legal[] = {
    [SPT_TASK_NEW] = BIT(RUNNING),
    [SPT_TASK_READY] = BIT(RUNNING) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_RUNNING] = BIT(READY) | BIT(WAITING) | BIT(DONE) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_WAITING] = BIT(READY) | BIT(DONE) | BIT(FAILED) | BIT(CANCELLED),
    [SPT_TASK_DONE] = 0,
    [SPT_TASK_FAILED] = 0,
    [SPT_TASK_CANCELLED] = 0,
};
#endif

static void task_become(struct spt_task *t, enum spt_task_state state)
{
    struct spt_sched *s = t->sched;
    assert(legal[t->state] & 1u << state);
    if (state == SPT_TASK_RUNNING) {
        t->resumes++;
        t->sched_ns += s->now_ns - t->t_state;
    }
    if (state >= SPT_TASK_DONE)
        spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                                  .task = t->id,
                                                  .kind = SPT_REC_END,
                                                  .sub = (uint8_t)state});
    t->state = (uint8_t)state;
    t->t_state = s->now_ns;
}

static void queue(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    spt_list_push(&s->ready, &t->link);
    if (!s->draining)
        s->hooks.wake(s->hooks.ud);
}

void spt_task_ready(struct spt_task *t, bool cancelled)
{
    struct spt_sched *s = t->sched;
    task_become(t, SPT_TASK_READY);
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = t->id,
                                              .ref = s->current ? s->current->id : 0,
                                              .kind = SPT_REC_READY,
                                              .sub = cancelled});
    queue(t);
}

void spt_task_yielding(struct spt_task *t)
{
    task_become(t, SPT_TASK_READY);
    queue(t);
}

void spt_task_waiting(struct spt_task *t, lua_State *L)
{
    struct spt_sched *s = t->sched;
    task_become(t, SPT_TASK_WAITING);
    t->waits_in = L;
    struct spt_rec rec = {.t = s->now_ns,
                          .task = t->id,
                          .ref = t->op->ref,
                          .kind = SPT_REC_WAIT,
                          .a = spt_trace_word(&s->trace, t->op->type->name)};
    if (s->trace.level >= 2) {
        char text[512];
        spt_inspect_waits_for(t, text, sizeof text);
        rec.t = spt_sched_clock(s);
        rec.a = spt_trace_text(&s->trace, text, strlen(text));
        rec.b = spt_inspect_place(L, s, 1);
        rec.sub = 1;
    }
    spt_trace_put(&s->trace, rec);
}

void spt_task_abort(struct spt_task *t)
{
    if (t->state != SPT_TASK_WAITING || !t->op || t->shielded)
        return;
    spt_op_abort(t->op);
    spt_task_ready(t, true);
}

/* --- anchors: the registry has the handle of each live task --- */

void spt_task_push(lua_State *L, const struct spt_task *t)
{
    assert(t->anchor);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->sched->anchors_ref);
    lua_rawgeti(L, -1, t->anchor);
    lua_remove(L, -2);
}

/* --- the body: the function that runs in the coroutine --- */

/* Sets the traceback on top of the stack on the error object at index 1. An error that another task
 * raised before keeps its own. */
static void set_traceback(lua_State *L)
{
    lua_pushliteral(L, "traceback");
    if (lua_rawget(L, 1) == LUA_TNIL) {
        lua_pushliteral(L, "traceback");
        lua_pushvalue(L, -3);
        spt_traceback_render(L);
        lua_rawset(L, 1);
    }
    lua_pop(L, 1);
}

/* Handles errors at the root of a task: stores the traceback and keeps the error unchanged. */
static int on_error(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    if (lua_isnil(L, 1)) {
        spt_error_push(L, "error", "nil error");
        lua_replace(L, 1);
    }
    if (!s->current || !spt_traceback_handle(L))
        return 1;
    // stack: error, traceback
    if (spt_error_is(L, 1, NULL) && !lua_isnil(L, 2))
        set_traceback(L);
    spt_task_push(L, s->current);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, SPT_TASK_UV_TRACEBACK);
    lua_settop(L, 1);
    return 1;
}

/* Returns the outcome of a task that failed with the error on top of the stack. A Cancelled that
 * escapes a task which is not cancelled was saved elsewhere and raised again, so the task
 * failed. */
static enum spt_task_state outcome_of_error(lua_State *L, struct spt_task *t)
{
    if (!spt_error_is(L, -1, "Cancelled"))
        return SPT_TASK_FAILED;
    if (t->root.cancel_pending || t->sched->shutting_down)
        return SPT_TASK_CANCELLED;
    lua_pop(L, 1);
    spt_error_push(L, "error", "stray Cancelled");
    lua_insert(L, 1); /* where set_traceback() expects it */
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_TRACEBACK);
    if (!lua_isnil(L, -1))
        set_traceback(L);
    lua_settop(L, 1);
    return SPT_TASK_FAILED;
}

static void pack_results(lua_State *L, int first, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, first + i - 1);
        lua_rawseti(L, -2, i);
    }
}

/* Stores the results or the error, once the body and its closers have ended. */
static int keep_result(lua_State *L, struct spt_task *t, int status)
{
    // stack: handler, results ... | handler, ..., error
    if (status == LUA_OK || status == LUA_YIELD) {
        t->nresults = lua_gettop(L) - 1;
        t->outcome = SPT_TASK_DONE;
        if (t->nresults == 0)
            lua_pushnil(L);
        else if (t->nresults > 1)
            pack_results(L, 2, t->nresults);
    } else {
        t->outcome = (uint8_t)outcome_of_error(L, t);
        if (t->outcome == SPT_TASK_FAILED)
            spt_origin_settle(L, t);
    }
    spt_task_push(L, t);
    lua_insert(L, -2);
    /* Replaces the coroutine, which nothing anchors from here on: no allocation may follow. */
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_settop(L, 0);
    return 0;
}

static int closed(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    if (status != LUA_OK && status != LUA_YIELD)
        return keep_result(L, t, status); /* the last failure counts, as with closing variables */
    return keep_result(L, t, t->failing ? LUA_ERRRUN : LUA_OK);
}

const char spt_unwind = 0;

bool spt_task_push_unwind(lua_State *L, const struct spt_task *t, struct spt_scope *outer,
                          lua_State *dead)
{
    if (t->scope == outer)
        return false;
    luaL_checkstack(L, 6, "out of stack for an error");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &spt_unwind) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return false;
    }
    lua_insert(L, -2);
    lua_pushlightuserdata(L, outer);
    lua_insert(L, -2);
    lua_pushboolean(L, !dead);
    lua_insert(L, -2);
    if (dead)
        spt_frames_push(L, dead, 0);
    else
        lua_pushnil(L);
    return true;
}

/* Runs the closers of the task, if it has any. */
static int close_rest(lua_State *L, struct spt_task *t)
{
    lua_KContext ctx = (lua_KContext)t;
    if (!t->has_closers)
        return keep_result(L, t, t->failing ? LUA_ERRRUN : LUA_OK);
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_CLOSERS);
    lua_getfield(L, -1, "close");
    lua_replace(L, -3);
    return closed(L, lua_pcallk(L, 1, 0, 1, ctx, closed), ctx);
}

/* Continues once the blocks that the body left open have ended. On top of the stack is the
 * resulting error, nil for none. */
static int unwound(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        t->failing = true;
    return close_rest(L, t);
}

static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
    struct spt_task *t = (struct spt_task *)ctx;
    luaL_checkstack(L, 8, "too many results");
    t->failing = status != LUA_OK && status != LUA_YIELD;
    if (t->scope == &t->root)
        return close_rest(L, t);
    if (!t->failing)
        lua_pushnil(L);
    if (!spt_task_push_unwind(L, t, &t->root, NULL))
        return unwound(L, LUA_OK, ctx);
    return unwound(L, lua_pcallk(L, 4, 1, 1, ctx, unwound), ctx);
}

static int body(lua_State *L)
{
    struct spt_task *t = lua_touserdata(L, 1);
    lua_pushcfunction(L, on_error);
    lua_replace(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, (lua_KContext)t, body_ended);
    return body_ended(L, status, (lua_KContext)t);
}

/* --- spawning --- */

/* Pops the coroutine on top of the stack and gives it to the task with the handle below it. Makes
 * room for its function and arguments. */
static void give_coroutine(lua_State *L, struct spt_task *t, int nargs)
{
    const struct spt_sched *s = t->sched;
    lua_State *co = lua_tothread(L, -1);
    if (!lua_checkstack(co, nargs + 3))
        luaL_error(L, "too many arguments");
    lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
    lua_pushcfunction(co, body);
    lua_pushlightuserdata(co, t);
    if (s->hook)
        lua_sethook(co, s->hook, LUA_MASKCOUNT, s->hook_count);
    t->co = co;
}

/* Clears the user values that held the arguments of the task with the handle on top of the
 * stack. */
static void clear_held(lua_State *L, int nargs)
{
    for (int uv = 2; uv <= nargs + 1; uv++) {
        lua_pushnil(L);
        lua_setiuservalue(L, -2, uv);
    }
}

/* Moves the function and the arguments from a new task's user values to the coroutine on top of the
 * stack, which it pops. Allocates nothing. */
static void leave_handle(lua_State *L, struct spt_task *t)
{
    int co = lua_gettop(L), handle = co + 1;
    spt_task_push(L, t);
    for (int uv = 1; uv <= t->nargs + 1; uv++)
        lua_getiuservalue(L, handle, uv);
    lua_pushvalue(L, handle);
    lua_pushvalue(L, co);
    give_coroutine(L, t, t->nargs);
    lua_pop(L, 1);
    lua_xmove(L, t->co, t->nargs + 1);
    clear_held(L, t->nargs);
    lua_pop(L, 2);
}

/* Gives the task with its handle on top of the stack the locals of its parent. Both share one table
 * until either sets a local. */
static void inherit_locals(lua_State *L, struct spt_task *t, const struct spt_task *parent)
{
    if (!parent->has_locals)
        return;
    spt_task_push(L, parent);
    lua_getiuservalue(L, -1, SPT_TASK_UV_LOCALS);
    lua_setiuservalue(L, -3, SPT_TASK_UV_LOCALS);
    lua_pop(L, 1);
    t->has_locals = true;
}

/* Stores the name of the new task, with its handle on top of the stack, as a string. The number of
 * its source may belong to another once the task has ended and its handle remains. */
static void keep_name(lua_State *L, const struct spt_task *t)
{
    char place[SPT_PLACE_SIZE];
    spt_inspect_write_place(&t->sched->trace, t->function_place, place, sizeof place);
    lua_pushfstring(L, "%s#%d", place, (int)(t->sched->next_id + 1));
    lua_setiuservalue(L, -2, SPT_TASK_UV_NAME);
}

struct spt_task *spt_task_spawn(lua_State *L, struct spt_scope *owner, struct spt_task *parent,
                                int nargs)
{
    struct spt_sched *s = owner->sched;
    int fn = lua_gettop(L) - nargs;
    if (s->shutting_down) /* a task that spawns itself would keep the host from ending */
        spt_error_usage(L, "cannot spawn: the host is closing");
    luaL_checkstack(L, 8, "too many arguments");
    struct spt_task *t = lua_newuserdatauv(L, sizeof *t, SPT_TASK_UV_LAST);
    *t = (struct spt_task){0};
    luaL_setmetatable(L, SPT_TASK_META);
    t->sched = s;
    bool hooked = s->hooked && lua_gethook(L);
    if (nargs >= SPT_TASK_UV_HELD || hooked) {
        if (!spt_coroutines_take(L, s))
            lua_newthread(L);
        give_coroutine(L, t, nargs);
    }
    if (hooked)
        spt_hook_inherit(L, s, t->co);
    t->function_place = spt_inspect_function_place(L, s, fn);
    if (t->function_place >> 32 > SPT_TRACE_KEPT)
        keep_name(L, t);
    t->anchor = spt_coroutines_anchor(L, s);
    /* Nothing raises from here on. */
    lua_insert(L, fn);
    for (int uv = nargs + 1; !t->co && uv > 0; uv--)
        lua_setiuservalue(L, fn, uv);
    if (t->co)
        lua_xmove(L, t->co, nargs + 1);
    t->nargs = nargs;
    t->id = ++s->next_id;
    t->scope = &t->root;
    spt_scope_init(&t->root, s, owner, t);
    spt_link_init(&t->link);
    spt_link_init(&t->watches);
    owner->ntasks++;
    owner->had_tasks = true;
    s->live++;
    if (parent) {
        t->parent = parent->id;
        t->spawn_place = spt_inspect_place(L, s, 1);
        inherit_locals(L, t, parent);
    }
    t->t_state = s->trace.level >= 2 ? spt_sched_clock(s) : s->now_ns;
    spt_trace_spawn(&s->trace, t->t_state, t->id, t->parent, t->function_place,
                    s->trace.level >= 2 ? t->spawn_place : 0);
    queue(t);
    if (spt_scope_inherit_cancel(&t->root))
        spt_reason_inherit(L, t, -1);
    return t;
}

/* --- the end --- */

void spt_task_watch(struct spt_task *t, struct spt_watch *watch)
{
    assert(!spt_task_ended(t));
    spt_link_init(&watch->link);
    spt_list_push(&t->watches, &watch->link);
}

void spt_task_observe(struct spt_task *t)
{
    t->observed = true;
    if (t->state == SPT_TASK_FAILED && !spt_link_alone(&t->link) && !t->owed_to_group) {
        spt_link_remove(&t->link);
        spt_coroutines_release_anchor(t);
    }
}

void spt_task_report(struct spt_task *t)
{
    bool told = spt_origin_is_told(t->sched->main, t) && !t->is_main;
    t->owed_to_group = false;
    if (!told)
        t->sched->hooks.unhandled(t->sched->hooks.ud, t);
    t->observed = true;
    spt_coroutines_release_anchor(t);
}

/* Keeps a failure that is not observed yet in its scope: until its group ends for it, or the scope
 * closes. The host's own scopes never close, so their failures are reported at once. */
static void keep_failure(struct spt_task *t, struct spt_scope *owner)
{
    bool host_owned = owner->task == NULL;
    spt_list_push(host_owned ? &t->sched->unhandled : &owner->failed, &t->link);
    t->owed_to_group = owner->cancels_on_failure;
    if (owner->cancels_on_failure)
        spt_scope_cancel(owner, "sibling", NULL);
}

static void fire_watches(struct spt_task *t)
{
    for (struct spt_link *l; (l = spt_list_pop(&t->watches));) {
        struct spt_watch *w = SPT_OF(l, struct spt_watch, link);
        w->fire(w, t);
    }
}

/* Handles the end of one of the scope's tasks. If it was the last, returns the task that waits for
 * that before its own end, or calls the scope's on_empty. */
static struct spt_task *emptied(struct spt_scope *scope)
{
    struct spt_task *t = scope->task;
    if (scope->ntasks > 0)
        return NULL;
    if (t && t->ending && t->scope == scope)
        return t;
    spt_scope_tell_empty(scope);
    return NULL;
}

/* Completes `t`. Returns the task that waited only for `t` before its own end, or NULL. */
static struct spt_task *finish(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    struct spt_scope *owner = t->root.parent;
    task_become(t, t->outcome);
    spt_scope_close(&t->root);
    owner->ntasks--;
    owner->child_cancelled |= t->state == SPT_TASK_CANCELLED;
    s->live--;
    fire_watches(t);
    bool failed = t->state == SPT_TASK_FAILED && (!t->observed || owner->cancels_on_failure);
    bool unfinished = t->state == SPT_TASK_CANCELLED && t->is_main && !s->shutting_down;
    if (failed || unfinished)
        keep_failure(t, owner);
    else
        spt_coroutines_release_anchor(t);
    if (t->is_main) {
        s->cancelled_mains += t->state == SPT_TASK_CANCELLED;
        if (--s->nmains == 0)
            spt_scope_cancel(&s->background, "owner", NULL);
    }
    return emptied(owner);
}

void spt_task_leave(struct spt_scope *scope)
{
    if (scope->ntasks == 0 || scope->cancel_pending)
        return;
    /* if the body failed, that failure is the cause, and is reported */
    if (!scope->task || !scope->task->failing)
        spt_inspect_warn_unstarted(scope);
    spt_scope_cancel(scope, "owner", NULL);
}

/* Makes `t` wait for the tasks of a scope once the scope's body has ended. */
static void await_children(struct spt_task *t, struct spt_scope *scope)
{
    if (t->state == SPT_TASK_RUNNING)
        task_become(t, SPT_TASK_WAITING);
    t->ending = true;
    spt_task_leave(scope);
    if (!spt_link_alone(&t->sched->endings))
        spt_circle_open(t);
}

/* Closes the scopes that are still open, innermost first, because the body cannot if memory fails.
 * Returns true if no child lives any more. */
static bool close_scopes(struct spt_task *t)
{
    for (; t->scope != &t->root; t->scope = t->scope->parent) {
        if (t->scope->ntasks > 0) {
            await_children(t, t->scope);
            return false;
        }
        if (!t->abandoned)
            spt_inspect_warn_left(t->scope);
        spt_scope_close(t->scope);
    }
    if (t->root.ntasks > 0)
        await_children(t, &t->root);
    return t->root.ntasks == 0;
}

/* Ends a task once its body has ended, or leaves that to the last of its children. Also ends, up a
 * chain of any length, the tasks that waited for nothing else. */
static void end(struct spt_task *t)
{
    while (t && close_scopes(t))
        t = finish(t);
}

static void on_start_over(struct spt_resource *resource)
{
    struct spt_block *into = SPT_OF(resource, struct spt_block, start_over)->into;
    spt_link_remove(&SPT_OF(resource, struct spt_block, start_over)->start);
    into->scope.ntasks--;
    end(emptied(&into->scope));
}

void spt_task_expect(struct spt_block *into, struct spt_block *from)
{
    from->into = into;
    from->start_over.release = on_start_over;
    spt_link_init(&from->start_over.link);
    spt_scope_add(&from->scope, &from->start_over);
    spt_list_push(&into->starts, &from->start);
    into->scope.ntasks++;
}

/* Stores an error that no body caught, such as out of memory while the results are kept. It is on
 * top of the dead coroutine's stack. */
static void died(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    spt_task_push(s->main, t);
    lua_xmove(t->co, s->main, 1);
    lua_setiuservalue(s->main, -2, SPT_TASK_UV_VALUE);
    lua_pop(s->main, 1);
    t->outcome = SPT_TASK_FAILED;
}

/* Handles a yield that is no wait of Septet's, by foreign C code: drops the values and makes the
 * task ready. */
static void foreign_yield(struct spt_task *t, int nvalues)
{
    lua_pop(t->co, nvalues);
    lua_checkstack(t->co, 1);
    lua_pushlightuserdata(t->co, (void *)&spt_wait_mark);
    t->sched->hooks.warn(t->sched->hooks.ud, "a task yielded outside any coroutine of its own");
    spt_task_yielding(t);
}

/* Ends an abandoned task, although it has yielded. Its closing variables run here, where nothing
 * can wait, and their errors are dropped. */
static void abandon(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    lua_pop(t->co, 1); /* the wait mark */
    t->op = NULL;
    spt_link_remove(&t->link); /* it yielded, so it is ready */
    s->current = t;
    lua_resetthread(t->co);
    s->current = NULL;
    lua_settop(t->co, 0);
    lua_pushnil(t->co); /* in the slot of the wait mark; a message would allocate */
    died(t);
    if (s->exiting)
        t->outcome = SPT_TASK_CANCELLED;
    t->co = NULL;
    end(t);
}

static void leave(struct spt_task *t, int status, int nvalues)
{
    if (status != LUA_YIELD) {
        if (status == LUA_OK)
            spt_coroutines_recycle(t);
        else
            died(t);
        t->co = NULL;
        end(t);
    } else if (t->abandoned) {
        abandon(t);
    } else if (t->state == SPT_TASK_RUNNING) {
        foreign_yield(t, nvalues);
    }
}

/* Gives a task its coroutine at its first turn, so that tasks that never wait share one. Returns
 * false, with the task ended, if memory runs out. */
static bool start(struct spt_task *t)
{
    lua_State *L = t->sched->main;
    if (t->co)
        return true;
    if (!spt_coroutines_take(L, t->sched)) {
        lua_pushcfunction(L, spt_coroutines_new);
        lua_pushlightuserdata(L, t->sched);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            spt_task_push(L, t);
            clear_held(L, t->nargs);
            lua_insert(L, -2);
            lua_setiuservalue(L, -2, SPT_TASK_UV_VALUE);
            lua_pop(L, 1);
            t->outcome = SPT_TASK_FAILED;
            end(t);
            return false;
        }
    }
    leave_handle(L, t);
    return true;
}

void spt_task_resume(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    int nargs = 0, nvalues = 0;
    bool fresh = t->state == SPT_TASK_NEW;
    task_become(t, SPT_TASK_RUNNING);
    if (fresh) {
        if (!start(t))
            return;
        nargs = t->nargs + 2;
    } else {
        lua_pop(t->co, 1); /* the wait mark */
    }
    s->current = t;
    t->budget = BUDGET;
    uint64_t t0 = s->now_ns;
    int status = lua_resume(t->co, NULL, nargs, &nvalues);
    s->current = NULL;
    s->now_ns = spt_sched_clock(s);
    t->busy_ns += s->now_ns - t0;
    t->t_state = s->now_ns;
    enum spt_left left = status != LUA_YIELD            ? SPT_LEFT_END
                         : t->state == SPT_TASK_WAITING ? SPT_LEFT_WAIT
                                                        : SPT_LEFT_YIELD;
    spt_trace_put(&s->trace, (struct spt_rec){.t = t0,
                                              .task = t->id,
                                              .kind = SPT_REC_RUN,
                                              .sub = (uint8_t)left,
                                              .b = s->now_ns - t0});
    if (s->slow_ns && s->now_ns - t0 > s->slow_ns)
        spt_inspect_report_slow(t, s->now_ns - t0);
    leave(t, status, nvalues);
}

int spt_task_push_results(lua_State *L, int handle, const struct spt_task *t)
{
    if (t->nresults == 0)
        return 0;
    luaL_checkstack(L, t->nresults + 1, "too many results");
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    if (t->nresults == 1)
        return 1;
    int packed = lua_gettop(L);
    for (int i = 1; i <= t->nresults; i++)
        lua_rawgeti(L, packed, i);
    lua_remove(L, packed);
    return t->nresults;
}
