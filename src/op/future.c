/* SPDX-License-Identifier: MIT */
/* future: a value that arrives once, from a task or from a callback of libuv, and that any number
 * of tasks wait for. It is not external: what will set it is not known, so the host asks whether
 * other code on the loop still could. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "op/at_once.h"
#include "op/env.h"
#include "op/openers.h"

#define META "septet.future"

/* The user values: the only value, a table of several, or the error; and the traceback of that. */
enum { UV_VALUE = 1, UV_TRACEBACK, UV_LAST = UV_TRACEBACK };

enum state { PENDING, SET, FAILED };

struct future {
    struct spt_link waiters; /* wait_op, FIFO */
    struct spt_sched *sched;
    uint64_t place; /* spt_trace_place of the line that made it, pinned */
    enum state state;
    int n;         /* number of values */
    bool observed; /* the failure was raised in a task, or will be */
};

struct wait_op {
    septet_op op;
    struct spt_link link;
    struct future *future; /* kept alive by the handle at index 1 */
};

_Static_assert(sizeof(struct wait_op) <= SPT_SLOT_SIZE, "a wait allocates nothing");

static int wait_start(septet_op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    struct future *f = wait->future;
    if (f->state == PENDING) {
        spt_list_push(&f->waiters, &wait->link);
        return SEPTET_OK;
    }
    f->observed = true;
    septet_op_done(op, SEPTET_OK);
    return SEPTET_OK;
}

static void wait_cancel(septet_op *op)
{
    spt_link_remove(&((struct wait_op *)op)->link);
}

/* Pushes the values of the future at index 1, which is set. */
static int push_values(lua_State *L, int n)
{
    if (n == 0)
        return 0;
    lua_getiuservalue(L, 1, UV_VALUE);
    if (n == 1)
        return 1;
    luaL_checkstack(L, n, "too many results");
    int list = lua_gettop(L);
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, list, i);
    return n;
}

/* Returns the values of the future at index 1, which is done, or raises its error. */
static int push_result(lua_State *L, const struct future *f)
{
    if (f->state == SET)
        return push_values(L, f->n);
    lua_getiuservalue(L, 1, UV_TRACEBACK);
    lua_getiuservalue(L, 1, UV_VALUE);
    return spt_traceback_raise(L, "awaited at");
}

static int wait_push(septet_op *op, lua_State *L)
{
    return push_result(L, ((struct wait_op *)op)->future);
}

static void write_place(const struct future *f, char *text, size_t size)
{
    char place[SPT_PLACE_SIZE];
    if (!f->place)
        return;
    spt_inspect_write_place(&f->sched->trace, f->place, place, sizeof place);
    snprintf(text, size, "made at %s", place);
}

static void wait_describe(const septet_op *op, char *text, size_t size)
{
    write_place(((const struct wait_op *)op)->future, text, size);
}

static const septet_op_type wait_type = {
    .name = "future",
    .size = sizeof(struct wait_op),
    .start = wait_start,
    .cancel = wait_cancel,
    .push = wait_push,
    .describe = wait_describe,
};

/* future(): returns a new future, which is pending. */
static int l_future(lua_State *L)
{
    spt_check_most(L, 0);
    struct spt_sched *s = spt_env(L)->sched;
    struct future *f = lua_newuserdatauv(L, sizeof *f, UV_LAST);
    *f = (struct future){.sched = s, .place = spt_inspect_place(L, s, 1)};
    spt_link_init(&f->waiters);
    spt_trace_pin(&s->trace, f->place);
    luaL_setmetatable(L, META);
    return 1;
}

static struct future *check(lua_State *L)
{
    return spt_check_self(L, "future");
}

static struct future *check_pending(lua_State *L)
{
    struct future *f = check(L);
    if (f->state != PENDING)
        spt_error_usage(L, "the future is done: it was %s before",
                        f->state == SET ? "set" : "failed");
    return f;
}

/* Resumes the waiters. Everything that can raise is over. */
static void complete(struct future *f, enum state state)
{
    f->state = state;
    for (struct spt_link *l; (l = spt_list_pop(&f->waiters));) {
        f->observed = true;
        septet_op_done(&SPT_OF(l, struct wait_op, link)->op, SEPTET_OK);
    }
}

/* future:set(...): completes it with values. Raises Usage if it is done. */
static int l_set(lua_State *L)
{
    struct future *f = check_pending(L);
    int n = lua_gettop(L) - 1;
    if (n > 1) {
        lua_createtable(L, n, 0);
        lua_insert(L, 2);
        for (int i = n; i > 0; i--)
            lua_rawseti(L, 2, i);
    }
    if (f->state != PENDING) /* a finalizer has completed it */
        check_pending(L);
    f->n = n;
    if (n > 0) {
        lua_settop(L, 2);
        lua_setiuservalue(L, 1, UV_VALUE);
    }
    complete(f, SET);
    return 0;
}

/* future:fail(error): completes it with an error, which await raises. Raises Usage if it is
 * done. */
static int l_fail(lua_State *L)
{
    spt_check_most(L, 2);
    struct future *f = check_pending(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        spt_error_push(L, "error", "nil error");
        lua_replace(L, 2);
    }
    spt_frames_push(L, L, 1);
    if (f->state != PENDING) /* a finalizer has completed it */
        check_pending(L);
    lua_setiuservalue(L, 1, UV_TRACEBACK);
    lua_setiuservalue(L, 1, UV_VALUE);
    complete(f, FAILED);
    return 0;
}

static int l_is_done(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushboolean(L, check(L)->state != PENDING);
    return 1;
}

/* future:await(): returns the values once they are set, or raises the error. */
static int l_await(lua_State *L)
{
    spt_check_most(L, 1);
    struct future *f = check(L);
    if (f->state != PENDING && spt_at_once(L, spt_env(L)->sched)) {
        f->observed = true;
        return push_result(L, f);
    }
    struct wait_op *wait = (struct wait_op *)spt_op_new(L, spt_env(L)->sched, &wait_type);
    spt_link_init(&wait->link);
    wait->future = f;
    return septet_op_await(L, &wait->op);
}

/* Warns of a failure that no task has awaited. */
static int warn_unseen(lua_State *L)
{
    const struct future *f = lua_touserdata(L, 1);
    const struct spt_sched *s = f->sched;
    char made[SPT_PLACE_SIZE + 16] = "";
    write_place(f, made, sizeof made);
    lua_getiuservalue(L, 1, UV_VALUE);
    lua_pushfstring(L, "a future failed, and none awaited it (%s): %s", made,
                    spt_error_push_words(L, 2));
    s->hooks.warn(s->hooks.ud, lua_tostring(L, -1));
    return 0;
}

/* No task waits here, since that would keep the future alive. */
static int l_gc(lua_State *L)
{
    struct future *f = check(L);
    if (f->state == FAILED && !f->observed) {
        f->observed = true;
        lua_pushcfunction(L, warn_unseen);
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            lua_pop(L, 1);
    }
    spt_trace_unpin(&f->sched->trace, f->place);
    f->place = 0;
    return 0;
}

static const luaL_Reg methods[] = {{"set", l_set},     {"fail", l_fail}, {"is_done", l_is_done},
                                   {"await", l_await}, {"__gc", l_gc},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"future", l_future}, {NULL, NULL}};

void spt_open_future(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
