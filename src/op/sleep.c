/* SPDX-License-Identifier: MIT */
/* sleep: waits for an instant. This is the smallest operation, and the one to read first. */
#include <stdio.h>

#include "base/list.h"
#include "base/time.h"
#include "core/bare.h"
#include "core/check.h"
#include "core/checkpoint.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "op/openers.h"

struct sleep_op {
    septet_op op;
    union {
        uint64_t duration_ns; /* of sleep() */
        uint64_t until_ns;    /* of sleep_until(): the instant at which it ends */
    };
    struct spt_timer timer;
};
_Static_assert(sizeof(struct sleep_op) <= SPT_SLOT_SIZE, "a sleep allocates nothing");

static void on_due(struct spt_timer *timer)
{
    septet_op_done(&SPT_OF(timer, struct sleep_op, timer)->op, SEPTET_OK);
}

/* Starts the timer. Reads the clock itself, because the scheduler's instant is that of the last
 * resume, and counting from it would wake the task early. */
static int sleep_start(septet_op *op)
{
    struct sleep_op *sleep = (struct sleep_op *)op;
    struct spt_sched *s = spt_op_sched(op);
    uint64_t due = spt_timer_instant(spt_sched_clock(s), sleep->duration_ns);
    spt_timer_start(&s->tree.timers, &sleep->timer, due, on_due);
    return SEPTET_OK;
}

static int until_start(septet_op *op)
{
    struct sleep_op *sleep = (struct sleep_op *)op;
    spt_timer_start(&spt_op_sched(op)->tree.timers, &sleep->timer, sleep->until_ns, on_due);
    return SEPTET_OK;
}

static void sleep_cancel(septet_op *op)
{
    spt_timer_stop(&spt_op_sched(op)->tree.timers, &((struct sleep_op *)op)->timer);
}

static int sleep_push(septet_op *op, lua_State *L)
{
    return 0;
}

static void sleep_describe(const septet_op *op, char *text, size_t size)
{
    uint64_t duration_ns = ((const struct sleep_op *)op)->duration_ns;
    double seconds = spt_time_seconds(duration_ns);
    if (duration_ns == SPT_NEVER)
        snprintf(text, size, "for ever");
    else
        snprintf(text, size, seconds < 999.5 ? "%.3g s" : "%.0f s", seconds); /* never 1e+03 */
}

static const septet_op_type sleep_type = {
    .name = "sleep",
    .size = sizeof(struct sleep_op),
    .start = sleep_start,
    .cancel = sleep_cancel,
    .push = sleep_push,
    .describe = sleep_describe,
};

static void until_describe(const septet_op *op, char *text, size_t size)
{
    uint64_t until_ns = ((const struct sleep_op *)op)->until_ns;
    if (until_ns == SPT_NEVER)
        snprintf(text, size, "for ever");
    else
        snprintf(text, size, "until %.3f s", spt_time_seconds(until_ns));
}

static const septet_op_type until_type = {
    .name = "sleep",
    .size = sizeof(struct sleep_op),
    .start = until_start,
    .cancel = sleep_cancel,
    .push = sleep_push,
    .describe = until_describe,
};

/* sleep(seconds): returns nothing, and never early. sleep(0) is a checkpoint. */
static int l_sleep(lua_State *L)
{
    spt_check_most(L, 1);
    uint64_t duration_ns = spt_check_seconds(L, 1);
    struct spt_sched *s = spt_env(L)->sched;
    if (duration_ns == 0)
        return spt_checkpoint(L, s);
    struct sleep_op *sleep = (struct sleep_op *)spt_op_new(L, s, &sleep_type);
    sleep->duration_ns = duration_ns;
    return septet_op_await(L, &sleep->op);
}

/* sleep_until(instant): returns nothing, once now() has reached the instant. A past instant makes
 * it a checkpoint. The clock is not read here, because a timer for a past instant fires at once. */
static int l_sleep_until(lua_State *L)
{
    spt_check_most(L, 1);
    uint64_t until_ns = spt_check_instant(L, 1);
    struct spt_sched *s = spt_env(L)->sched;
    if (until_ns <= s->now_ns)
        return spt_checkpoint(L, s);
    struct sleep_op *sleep = (struct sleep_op *)spt_op_new(L, s, &until_type);
    sleep->until_ns = until_ns;
    return septet_op_await(L, &sleep->op);
}

/* checkpoint(): raises Cancelled if the task is cancelled, otherwise lets the other tasks run. */
static int l_checkpoint(lua_State *L)
{
    spt_check_most(L, 0);
    return spt_checkpoint(L, spt_env(L)->sched);
}

/* pause(): a checkpoint where the running code can wait, and nothing elsewhere. Long computations
 * call it between their slices. */
static int l_pause(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    return spt_op_can_wait(L, s) ? spt_checkpoint(L, s) : 0;
}

static const luaL_Reg functions[] = {{"sleep", l_sleep},
                                     {"sleep_until", l_sleep_until},
                                     {"checkpoint", l_checkpoint},
                                     {"pause", l_pause},
                                     {NULL, NULL}};

void spt_open_sleep(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
    spt_bare_allow(env->sched, SPT_BARE_WAIT, l_sleep);
    spt_bare_allow(env->sched, SPT_BARE_WAIT, l_sleep_until);
}
