/* SPDX-License-Identifier: MIT */
/* wait_idle: waits until no other task can run. Tests use it to look at the effects of each step,
 * and to move their clock. */
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "loop/loop.h"
#include "op/env.h"
#include "op/openers.h"

struct idle_op {
    septet_op op;
    struct spt_idle_waiter waiter;
    struct spt_loop *loop; /* the loop of the clock to advance; NULL for none */
    uint64_t left_ns;      /* maximum to advance by; afterwards, what is left of it */
};

/* Advances the clock to the next deadline, but at most by `*left_ns`, and reduces `*left_ns` by as
 * much. An infinite advance ends at the last deadline. */
static void advance(struct spt_loop *loop, const struct spt_timers *timers, uint64_t *left_ns)
{
    uint64_t now_ns = spt_loop_now(loop), to_ns = spt_timer_instant(now_ns, *left_ns);
    uint64_t due_ns = spt_timer_next(timers);
    if (due_ns < to_ns)
        to_ns = due_ns > now_ns ? due_ns : now_ns;
    if (to_ns == SPT_NEVER) {
        *left_ns = 0;
        return;
    }
    spt_loop_clock_advance(loop, to_ns);
    *left_ns -= to_ns - now_ns;
}

/* Completes the wait. Called between two passes, so that no task's turn includes the advance of the
 * clock. */
static void on_idle(struct spt_idle_waiter *waiter)
{
    struct idle_op *idle = SPT_OF(waiter, struct idle_op, waiter);
    if (idle->loop)
        advance(idle->loop, &spt_op_sched(&idle->op)->tree.timers, &idle->left_ns);
    septet_op_done(&idle->op, SEPTET_OK);
}

static int idle_start(septet_op *op)
{
    struct idle_op *idle = (struct idle_op *)op;
    idle->waiter.fire = on_idle;
    spt_link_init(&idle->waiter.link);
    spt_list_push(&spt_op_sched(op)->queues.idle, &idle->waiter.link);
    return SEPTET_OK;
}

static void idle_cancel(septet_op *op)
{
    spt_link_remove(&((struct idle_op *)op)->waiter.link);
}

static int idle_push(septet_op *op, lua_State *L)
{
    const struct idle_op *idle = (struct idle_op *)op;
    if (!idle->loop)
        return 0;
    lua_pushinteger(L, (lua_Integer)idle->left_ns);
    return 1;
}

static const septet_op_type idle_type = {
    .name = "wait_idle",
    .size = sizeof(struct idle_op),
    .start = idle_start,
    .cancel = idle_cancel,
    .push = idle_push,
};

static struct spt_loop *check_virtual(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    if (!env->clock.is_virtual || !env->loop)
        spt_error_usage(L, "the clock is the real one: run this with septet --virtual-time");
    return env->loop;
}

static struct idle_op *new_op(lua_State *L)
{
    return (struct idle_op *)spt_op_new(L, spt_env(L)->sched, &idle_type);
}

/* wait_idle(): waits until no other task can run before an external event or an advance of the
 * clock. Several waiting tasks are resumed one at a time. */
static int l_wait_idle(lua_State *L)
{
    spt_check_most(L, 0);
    return septet_op_await(L, &new_op(L)->op);
}

/* clock_advance(seconds, left): like wait_idle(), but then advances a virtual clock to the next
 * deadline, at most by `seconds`. Returns the rest in units that only the next call understands; 0
 * at the end. */
static int l_advance(lua_State *L)
{
    struct spt_loop *loop = check_virtual(L);
    bool begun = lua_isinteger(L, 2);
    uint64_t ns = begun ? (uint64_t)lua_tointeger(L, 2) : spt_check_seconds(L, 1);
    struct idle_op *idle = new_op(L);
    idle->loop = loop;
    idle->left_ns = ns;
    return septet_op_await(L, &idle->op);
}

/* clock_jump(seconds): advances a virtual clock at once, while nothing else runs. Raises Usage if
 * the sum is infinite. */
static int l_jump(lua_State *L)
{
    struct spt_loop *loop = check_virtual(L);
    uint64_t ns = spt_check_seconds(L, 1);
    uint64_t to_ns = spt_timer_instant(spt_loop_now(loop), ns);
    if (to_ns == SPT_NEVER)
        return spt_error_usage(L, "bad argument #1 to 'busy' (more seconds than the clock counts)");
    spt_loop_clock_advance(loop, to_ns);
    return 0;
}

/* clock_manual(on): with `on`, a virtual clock does not advance by itself. Returns the previous
 * setting. */
static int l_manual(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    check_virtual(L);
    lua_pushboolean(L, env->clock.manual);
    env->clock.manual = lua_toboolean(L, 1);
    return 1;
}

/* clock_aside(on): sets whether a virtual clock may jump while the running task waits for I/O, as
 * nothing of this program will cause it. Does nothing on the real clock. */
static int l_aside(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    struct spt_task *t = env->sched->current;
    if (!t)
        return spt_error_usage(L, "cannot wait here: not inside a task");
    t->body.wait_aside = env->clock.is_virtual && lua_toboolean(L, 1);
    return 0;
}

static const luaL_Reg functions[] = {{"wait_idle", l_wait_idle}, {"clock_advance", l_advance},
                                     {"clock_jump", l_jump},     {"clock_manual", l_manual},
                                     {"clock_aside", l_aside},   {NULL, NULL}};

void spt_open_wait_idle(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
