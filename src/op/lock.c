/* SPDX-License-Identifier: MIT */
/* lock: is held by one task at a time. A held lock is a resource of its owner's root scope, so that
 * if the owner ends, the lock passes to the next waiter. It is anchored while it is held, because
 * the scope points into it. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/anchor.h"
#include "core/check.h"
#include "core/error.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/scope.h"
#include "core/task.h"
#include "op/at_once.h"
#include "op/env.h"
#include "op/openers.h"
#include "op/with.h"

#define META "septet.lock"

struct lock {
    struct spt_resource resource; /* in the owner's root scope */
    struct spt_task *owner;       /* a live task, which is anchored; NULL while free */
    struct spt_link waiters;      /* acquire_op, FIFO; empty while the lock is free */
};

struct acquire_op {
    septet_op op;
    struct spt_link link;
    struct lock *lock; /* kept alive by the handle at index 1 */
};

static void own(struct lock *lock, struct spt_task *t)
{
    lock->owner = t;
    spt_scope_add(&t->root, &lock->resource);
}

/* Hands the lock to the task that has waited longest, or frees it. */
static void hand_off(lua_State *L, struct lock *lock)
{
    struct spt_link *l = spt_list_pop(&lock->waiters);
    spt_link_remove(&lock->resource.link);
    lock->owner = NULL;
    if (l) {
        struct acquire_op *next = SPT_OF(l, struct acquire_op, link);
        own(lock, next->op.task);
        septet_op_done(&next->op, SEPTET_OK);
    } else {
        spt_anchor_release(L, lock);
    }
}

/* Hands the lock on and warns. Called when the owner has ended. */
static void on_end(struct spt_resource *resource)
{
    struct lock *lock = SPT_OF(resource, struct lock, resource);
    struct spt_sched *s = lock->owner->sched;
    char name[128], line[192];
    spt_inspect_name(lock->owner, name, sizeof name);
    snprintf(line, sizeof line, "task '%s' ended holding a lock", name);
    hand_off(s->main, lock);
    s->hooks.warn(s->hooks.ud, line);
}

static int acquire_start(septet_op *op)
{
    struct acquire_op *acquire = (struct acquire_op *)op;
    if (acquire->lock->owner) {
        spt_list_push(&acquire->lock->waiters, &acquire->link);
    } else {
        own(acquire->lock, op->task);
        septet_op_done(op, SEPTET_OK);
    }
    return SEPTET_OK;
}

static void acquire_cancel(septet_op *op)
{
    spt_link_remove(&((struct acquire_op *)op)->link);
}

static int acquire_push(septet_op *op, lua_State *L)
{
    return 0;
}

static void acquire_describe(const septet_op *op, char *text, size_t size)
{
    char name[128];
    spt_inspect_name(((const struct acquire_op *)op)->lock->owner, name, sizeof name);
    snprintf(text, size, "held by '%s'", name);
}

static void acquire_blockers(const septet_op *op, void (*visit)(void *ud, void *task), void *ud)
{
    visit(ud, ((const struct acquire_op *)op)->lock->owner);
}

static const septet_op_type acquire_type = {
    .name = "lock",
    .size = sizeof(struct acquire_op),
    .start = acquire_start,
    .cancel = acquire_cancel,
    .push = acquire_push,
    .describe = acquire_describe,
    .blockers = acquire_blockers,
};

static struct lock *check(lua_State *L)
{
    return spt_check_self(L, "lock");
}

/* lock(): returns a free lock. */
static int l_lock(lua_State *L)
{
    spt_check_most(L, 0);
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = (struct lock){.resource.release = on_end};
    spt_link_init(&lock->resource.link);
    spt_link_init(&lock->waiters);
    luaL_setmetatable(L, META);
    return 1;
}

static struct lock *check_acquire(lua_State *L)
{
    struct lock *lock = check(L);
    if (lock->owner && lock->owner == spt_env(L)->sched->current)
        spt_error_usage(L, "the lock is held by this task already");
    return lock;
}

/* Returns true if the running task has the lock, without a wait. */
static bool take_at_once(lua_State *L, struct lock *lock)
{
    struct spt_sched *s = spt_env(L)->sched;
    if (lock->owner || !spt_at_once(L, s))
        return false;
    spt_anchor_keep(L, 1);
    own(lock, s->current);
    return true;
}

static int await_lock(lua_State *L, struct lock *lock, const septet_op_type *type)
{
    struct spt_sched *s = spt_env(L)->sched;
    spt_op_check(L, s);
    if (lock->owner ||
        !spt_op_check_cancelled(s)) /* a free lock that the await refuses stays free */
        spt_anchor_keep(L, 1);
    struct acquire_op *acquire = (struct acquire_op *)spt_op_new(L, s, type);
    spt_link_init(&acquire->link);
    acquire->lock = lock;
    return septet_op_await(L, &acquire->op);
}

/* lock:acquire(): returns nothing, once the running task holds the lock. */
static int l_acquire(lua_State *L)
{
    spt_check_most(L, 1);
    struct lock *lock = check_acquire(L);
    return take_at_once(L, lock) ? 0 : await_lock(L, lock, &acquire_type);
}

/* lock:try_acquire(): returns true with the lock, or false if another task holds it. Never
 * waits. */
static int l_try_acquire(lua_State *L)
{
    spt_check_most(L, 1);
    struct lock *lock = check_acquire(L);
    struct spt_task *t = spt_env(L)->sched->current;
    if (!t || spt_task_is_leaf(t)) /* only finalizers run in a leaf, which is kept by none */
        return spt_error_usage(L, "cannot hold a lock here: not inside a task");
    bool taken = !lock->owner;
    if (taken) {
        spt_anchor_keep(L, 1);
        own(lock, t);
    }
    lua_pushboolean(L, taken);
    return 1;
}

/* lock:release(): releases the lock. Only its owner may call it. */
static int l_release(lua_State *L)
{
    spt_check_most(L, 1);
    struct lock *lock = check(L);
    if (!lock->owner)
        return spt_error_usage(L, "the lock is not held");
    if (lock->owner != spt_env(L)->sched->current) {
        char name[128];
        spt_inspect_name(lock->owner, name, sizeof name);
        return spt_error_usage(L, "the lock is held by task '%s'", name);
    }
    hand_off(L, lock);
    return 0;
}

static int with_ended(lua_State *L, int status, lua_KContext ctx)
{
    struct lock *lock = lua_touserdata(L, 1);
    bool held = lock->owner == spt_env(L)->sched->current;
    if (held)
        hand_off(L, lock);
    return spt_with_end(L, status, held, "lock");
}

static int with_push(septet_op *op, lua_State *L)
{
    return spt_with_call(L, with_ended);
}

static const septet_op_type with_type = {
    .name = "lock",
    .size = sizeof(struct acquire_op),
    .start = acquire_start,
    .cancel = acquire_cancel,
    .push = with_push,
    .describe = acquire_describe,
    .blockers = acquire_blockers,
};

/* lock:with(fn, ...): calls fn(...) with the lock held, and releases the lock on every way out. */
static int l_with(lua_State *L)
{
    check(L);
    spt_with_begin(L);
    struct lock *lock = check_acquire(L);
    return take_at_once(L, lock) ? spt_with_call(L, with_ended) : await_lock(L, lock, &with_type);
}

static int l_locked(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushboolean(L, check(L)->owner != NULL);
    return 1;
}

static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"try_acquire", l_try_acquire},
                                   {"release", l_release}, {"with", l_with},
                                   {"locked", l_locked},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"lock", l_lock}, {NULL, NULL}};

void spt_open_lock(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
