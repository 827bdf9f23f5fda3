/* SPDX-License-Identifier: MIT */
/* semaphore: hands out a number of permits. A released permit passes directly to the task that has
 * waited longest. As a free permit and a waiter never exist at once, no other task can take it
 * first. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "op/at_once.h"
#include "op/env.h"
#include "op/openers.h"
#include "op/with.h"

#define META "septet.semaphore"

struct semaphore {
    struct spt_link waiters; /* acquire_op, FIFO; empty while a permit is free */
    lua_Integer free;
    lua_Integer permits;
};

struct acquire_op {
    septet_op op;
    struct spt_link link;
    struct semaphore *semaphore; /* kept alive by the handle at index 1 */
};

static bool take(struct semaphore *semaphore)
{
    if (semaphore->free == 0)
        return false;
    semaphore->free--;
    return true;
}

static int acquire_start(septet_op *op)
{
    struct acquire_op *acquire = (struct acquire_op *)op;
    if (take(acquire->semaphore))
        septet_op_done(op, SEPTET_OK);
    else
        spt_list_push(&acquire->semaphore->waiters, &acquire->link);
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
    const struct semaphore *semaphore = ((const struct acquire_op *)op)->semaphore;
    snprintf(text, size, "of %lld", (long long)semaphore->permits);
}

static const septet_op_type acquire_type = {
    .name = "semaphore",
    .size = sizeof(struct acquire_op),
    .start = acquire_start,
    .cancel = acquire_cancel,
    .push = acquire_push,
    .describe = acquire_describe,
};

static struct semaphore *check(lua_State *L)
{
    return spt_check_self(L, "semaphore");
}

/* semaphore(n): returns a semaphore with n free permits. */
static int l_semaphore(lua_State *L)
{
    spt_check_most(L, 1);
    lua_Integer n = spt_check_count(L, 1, 1);
    struct semaphore *semaphore = lua_newuserdatauv(L, sizeof *semaphore, 0);
    *semaphore = (struct semaphore){.free = n, .permits = n};
    spt_link_init(&semaphore->waiters);
    luaL_setmetatable(L, META);
    return 1;
}

static int await_permit(lua_State *L, struct semaphore *semaphore, const septet_op_type *type)
{
    struct acquire_op *acquire = (struct acquire_op *)spt_op_new(L, spt_env(L)->sched, type);
    spt_link_init(&acquire->link);
    acquire->semaphore = semaphore;
    return septet_op_await(L, &acquire->op);
}

/* semaphore:acquire(): returns nothing, once the task has a permit. */
static int l_acquire(lua_State *L)
{
    spt_check_most(L, 1);
    struct semaphore *semaphore = check(L);
    if (semaphore->free > 0 && spt_at_once(L, spt_env(L)->sched)) {
        take(semaphore);
        return 0;
    }
    return await_permit(L, semaphore, &acquire_type);
}

/* semaphore:try_acquire(): returns true with a permit, or false if none is free. Never waits. */
static int l_try_acquire(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushboolean(L, take(check(L)));
    return 1;
}

/* Releases a permit. Returns false if all permits are free. */
static bool give_back(struct semaphore *semaphore)
{
    if (semaphore->free == semaphore->permits)
        return false;
    struct spt_link *l = spt_list_pop(&semaphore->waiters);
    if (l)
        septet_op_done(&SPT_OF(l, struct acquire_op, link)->op, SEPTET_OK);
    else
        semaphore->free++;
    return true;
}

/* semaphore:release(): releases a permit, which another task may have acquired. */
static int l_release(lua_State *L)
{
    spt_check_most(L, 1);
    if (!give_back(check(L)))
        return spt_error_usage(L, "semaphore released more often than acquired");
    return 0;
}

static int with_ended(lua_State *L, int status, lua_KContext ctx)
{
    return spt_with_end(L, status, give_back(lua_touserdata(L, 1)), "semaphore");
}

static int with_push(septet_op *op, lua_State *L)
{
    return spt_with_call(L, with_ended);
}

static const septet_op_type with_type = {
    .name = "semaphore",
    .size = sizeof(struct acquire_op),
    .start = acquire_start,
    .cancel = acquire_cancel,
    .push = with_push,
    .describe = acquire_describe,
};

/* semaphore:with(fn, ...): calls fn(...) with a permit, and releases the permit on every way
 * out. */
static int l_with(lua_State *L)
{
    struct semaphore *semaphore = check(L);
    spt_with_begin(L);
    if (semaphore->free > 0 && spt_at_once(L, spt_env(L)->sched)) {
        take(semaphore);
        return spt_with_call(L, with_ended);
    }
    return await_permit(L, semaphore, &with_type);
}

/* semaphore:value(): returns the number of free permits. */
static int l_value(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushinteger(L, check(L)->free);
    return 1;
}

static const luaL_Reg methods[] = {{"acquire", l_acquire}, {"try_acquire", l_try_acquire},
                                   {"release", l_release}, {"with", l_with},
                                   {"value", l_value},     {NULL, NULL}};

static const luaL_Reg functions[] = {{"semaphore", l_semaphore}, {NULL, NULL}};

void spt_open_semaphore(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
