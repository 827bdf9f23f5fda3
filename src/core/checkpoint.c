/* SPDX-License-Identifier: MIT */
/* Yields without an operation where nothing can go wrong. */
#include "core/checkpoint.h"

#include <lauxlib.h>

#include "core/can_wait.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/turns.h"

static int start(septet_op *op)
{
    septet_op_done(op, SEPTET_OK);
    return SEPTET_OK;
}

static int push(septet_op *op, lua_State *L)
{
    return 0;
}

/* An operation that is done at once. Its task passes through the ready queue once. */
static const septet_op_type checkpoint_type = {
    .name = "checkpoint", .size = sizeof(septet_op), .start = start, .push = push};

static int over(lua_State *L, int status, lua_KContext ctx)
{
    return 0;
}

/* A task with a coroutine needs no operation, which would take 90 of 1 100 instructions. */
int spt_checkpoint(lua_State *L, struct spt_sched *s)
{
    struct spt_task *t = s->current;
    if (!spt_can_wait(L, s) || !t->co || spt_can_wait_no_more(s))
        return septet_op_await(L, spt_op_new(L, s, &checkpoint_type));
    if (spt_turns_begin_next(t))
        return 0;
    spt_task_yielding(t);
    if (spt_turns_run_next(L, t))
        return 0;
    lua_pushlightuserdata(L, (void *)&spt_wait_mark);
    return lua_yieldk(L, 1, 0, over);
}

int spt_checkpoint_abandon(lua_State *L, struct spt_sched *s)
{
    septet_op *op = spt_op_new(L, s, &checkpoint_type);
    luaL_checkstack(L, 8, NULL);
    s->current->body.abandoned = true;
    return spt_op_await_cancelled(L, op);
}
