/* SPDX-License-Identifier: MIT */
/* load: lets any number of tasks wait until one task has loaded a module. A wait that closes a
 * circle ends at once, also if another operation closes it. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/list.h"
#include "core/check.h"
#include "core/deadlock.h"
#include "core/inspect.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "op/openers.h"

#define META "septet.load"

struct load {
    struct spt_link waiters; /* wait_op, FIFO */
    struct spt_task *owner;  /* the task that loads; kept alive by the user value */
    bool has_ended;
};

struct wait_op {
    septet_op op;
    struct spt_link link;
    struct load *load; /* kept alive by the handle at index 1 */
    struct spt_acyclic_wait acyclic;
    bool is_circular;
};

_Static_assert(sizeof(struct wait_op) <= SPT_SLOT_SIZE, "it lies in its task");

static void end_wait(struct wait_op *wait)
{
    spt_link_remove(&wait->acyclic.link);
    septet_op_done(&wait->op, SEPTET_OK);
}

/* Ends the wait as circular, because the owner waits for the waiting task. */
static void give_up(struct spt_acyclic_wait *acyclic, struct spt_task *owner)
{
    struct wait_op *wait = SPT_OF(acyclic, struct wait_op, acyclic);
    wait->is_circular = true;
    spt_link_remove(&wait->link);
    end_wait(wait);
}

static int wait_start(septet_op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    if (wait->load->has_ended) {
        septet_op_done(op, SEPTET_OK);
        return SEPTET_OK;
    }
    wait->acyclic.task = op->task;
    wait->acyclic.give_up = give_up;
    spt_list_push(&wait->load->waiters, &wait->link);
    /* At the front, so that of several loads in a circle the one that has closed it gives up. */
    spt_list_push_front(&spt_op_sched(op)->queues.acyclic_waits, &wait->acyclic.link);
    return SEPTET_OK;
}

static void wait_cancel(septet_op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    spt_link_remove(&wait->link);
    spt_link_remove(&wait->acyclic.link);
}

static int wait_push(septet_op *op, lua_State *L)
{
    lua_pushboolean(L, !((struct wait_op *)op)->is_circular);
    return 1;
}

static void wait_describe(const septet_op *op, char *text, size_t size)
{
    char name[128];
    spt_inspect_name(((const struct wait_op *)op)->load->owner, name, sizeof name);
    snprintf(text, size, "by '%s'", name);
}

static void wait_blockers(const septet_op *op, void (*visit)(void *ud, void *task), void *ud)
{
    struct spt_task *owner = ((const struct wait_op *)op)->load->owner;
    if (!spt_task_ended(owner))
        visit(ud, owner);
}

static const septet_op_type wait_type = {
    .name = "load",
    .size = sizeof(struct wait_op),
    .start = wait_start,
    .cancel = wait_cancel,
    .push = wait_push,
    .describe = wait_describe,
    .blockers = wait_blockers,
};

/* load(task): returns a load that `task` has begun. */
static int l_load(lua_State *L)
{
    struct spt_task *owner = spt_check_task(L, 1);
    struct load *load = lua_newuserdatauv(L, sizeof *load, 1);
    *load = (struct load){.owner = owner};
    spt_link_init(&load->waiters);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, META);
    return 1;
}

/* load:finish(): wakes all the tasks that wait for the load. */
static int l_finish(lua_State *L)
{
    struct load *load = spt_check_self(L, "load");
    load->has_ended = true;
    for (struct spt_link *l; (l = spt_list_pop(&load->waiters));)
        end_wait(SPT_OF(l, struct wait_op, link));
    return 0;
}

/* load:wait(): returns true once the load has ended. Returns false as soon as the loading task
 * waits, directly or through others, for the calling one. */
static int l_wait(lua_State *L)
{
    struct load *load = spt_check_self(L, "load");
    struct wait_op *wait = (struct wait_op *)spt_op_new(L, spt_env(L)->sched, &wait_type);
    spt_link_init(&wait->link);
    spt_link_init(&wait->acyclic.link);
    wait->load = load;
    wait->is_circular = false;
    return septet_op_await(L, &wait->op);
}

#define CIRCLE_MAX 32 /* maximum number of tasks of a circle that are named */

/* load:path(): returns the ids of the tasks through which the loading task waits for the running
 * one, from the former to the latter. */
static int l_path(lua_State *L)
{
    const struct load *load = spt_check_self(L, "load");
    struct spt_task *path[CIRCLE_MAX + 1], *current = spt_env(L)->sched->current;
    uint32_t ids[CIRCLE_MAX + 1], n = 0;
    if (load->owner != current)
        n = spt_deadlock_path(load->owner, current, path, CIRCLE_MAX);
    if (n > CIRCLE_MAX)
        n = CIRCLE_MAX;
    if (n == 0 && load->owner != current)
        path[n++] = load->owner; /* no memory for the search, or the owner has stopped waiting */
    path[n++] = current;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = path[i]->id;
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        lua_pushinteger(L, ids[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"finish", l_finish}, {"wait", l_wait}, {"path", l_path}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"load", l_load}, {NULL, NULL}};

void spt_open_load(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
