/* SPDX-License-Identifier: MIT */
/* event: occurs once and wakes all the tasks that wait for it. */
#include <lauxlib.h>

#include "base/list.h"
#include "core/check.h"
#include "core/op.h"
#include "op/at_once.h"
#include "op/env.h"
#include "op/openers.h"

#define META "septet.event"

struct event {
    struct spt_link waiters; /* wait_op, FIFO */
    bool set;
};

struct wait_op {
    septet_op op;
    struct spt_link link;
    struct event *event; /* kept alive by the handle at index 1 */
};

static int wait_start(septet_op *op)
{
    struct wait_op *wait = (struct wait_op *)op;
    if (wait->event->set)
        septet_op_done(op, SEPTET_OK);
    else
        spt_list_push(&wait->event->waiters, &wait->link);
    return SEPTET_OK;
}

static void wait_cancel(septet_op *op)
{
    spt_link_remove(&((struct wait_op *)op)->link);
}

static int wait_push(septet_op *op, lua_State *L)
{
    return 0;
}

static const septet_op_type wait_type = {
    .name = "event",
    .size = sizeof(struct wait_op),
    .start = wait_start,
    .cancel = wait_cancel,
    .push = wait_push,
};

static struct event *check(lua_State *L)
{
    return spt_check_self(L, "event");
}

/* event(): returns a new event that is not set. */
static int l_event(lua_State *L)
{
    spt_check_most(L, 0);
    struct event *event = lua_newuserdatauv(L, sizeof *event, 0);
    *event = (struct event){.set = false};
    spt_link_init(&event->waiters);
    luaL_setmetatable(L, META);
    return 1;
}

/* event:set(): sets the event. Wakes all waiters in FIFO order; later waits return at once. A set
 * event is left as it is. */
static int l_set(lua_State *L)
{
    spt_check_most(L, 1);
    struct event *event = check(L);
    event->set = true;
    for (struct spt_link *l; (l = spt_list_pop(&event->waiters));)
        septet_op_done(&SPT_OF(l, struct wait_op, link)->op, SEPTET_OK);
    return 0;
}

static int l_is_set(lua_State *L)
{
    spt_check_most(L, 1);
    lua_pushboolean(L, check(L)->set);
    return 1;
}

/* event:wait(): returns nothing, once the event is set. */
static int l_wait(lua_State *L)
{
    spt_check_most(L, 1);
    struct event *event = check(L);
    if (event->set && spt_at_once(L, spt_env(L)->sched))
        return 0;
    struct wait_op *wait = (struct wait_op *)spt_op_new(L, spt_env(L)->sched, &wait_type);
    spt_link_init(&wait->link);
    wait->event = event;
    return septet_op_await(L, &wait->op);
}

static const luaL_Reg methods[] = {
    {"set", l_set}, {"is_set", l_is_set}, {"wait", l_wait}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"event", l_event}, {NULL, NULL}};

void spt_open_event(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
