/* quiet: waits until no other task can run. Tests use it to look at the effects of each step, and
 * to move their clock. */
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "loop/loop.h"
#include "op/env.h"

struct quiet_op {
    septet_op op;
    struct spt_idle_waiter quiet;
    struct spt_loop *loop; /* the loop of the clock to advance; NULL for none */
    uint64_t left_ns;      /* maximum to advance by; afterwards, what is left of it */
};

/* Advances the clock to the next deadline, but at most by `*left_ns`, and reduces `*left_ns` by as
 * much. An infinite advance ends at the last deadline. */
static void jump(struct spt_loop *loop, const struct spt_timers *timers, uint64_t *left_ns)
{
    uint64_t now_ns = spt_loop_now(loop), to_ns = spt_instant(now_ns, *left_ns);
    uint64_t due_ns = spt_timers_next(timers);
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
static void on_quiet(struct spt_idle_waiter *quiet)
{
    struct quiet_op *q = SPT_OF(quiet, struct quiet_op, quiet);
    if (q->loop)
        jump(q->loop, &spt_op_sched(&q->op)->timers, &q->left_ns);
    septet_op_done(&q->op, SEPTET_OK);
}

static int quiet_start(septet_op *op)
{
    struct quiet_op *q = (struct quiet_op *)op;
    q->quiet.fire = on_quiet;
    spt_link_init(&q->quiet.link);
    spt_list_push(&spt_op_sched(op)->quiet, &q->quiet.link);
    return SEPTET_OK;
}

static void quiet_cancel(septet_op *op)
{
    spt_link_remove(&((struct quiet_op *)op)->quiet.link);
}

static int quiet_push(septet_op *op, lua_State *L)
{
    const struct quiet_op *q = (struct quiet_op *)op;
    if (!q->loop)
        return 0;
    lua_pushinteger(L, (lua_Integer)q->left_ns);
    return 1;
}

static const septet_op_type quiet_type = {
    .name = "quiet",
    .size = sizeof(struct quiet_op),
    .start = quiet_start,
    .cancel = quiet_cancel,
    .push = quiet_push,
};

static struct spt_loop *check_virtual(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    if (!env->is_virtual || !env->loop)
        spt_error_usage(L, "the clock is the real one: run this with septet --virtual-time");
    return env->loop;
}

static struct quiet_op *new_quiet(lua_State *L)
{
    return (struct quiet_op *)spt_op_new(L, spt_env(L)->sched, &quiet_type);
}

/* quiet(): waits until no other task can run before an external event or an advance of the clock.
 * Several waiting tasks are resumed one at a time. */
static int l_quiet(lua_State *L)
{
    spt_check_most(L, 0);
    return septet_op_await(L, &new_quiet(L)->op);
}

/* clock_advance(seconds, left): like quiet(), but then advances a virtual clock to the next
 * deadline, at most by `seconds`. Returns the rest in units that only the next call understands; 0
 * at the end. */
static int l_advance(lua_State *L)
{
    struct spt_loop *loop = check_virtual(L);
    bool begun = lua_isinteger(L, 2);
    uint64_t ns = begun ? (uint64_t)lua_tointeger(L, 2) : spt_check_seconds(L, 1);
    struct quiet_op *q = new_quiet(L);
    q->loop = loop;
    q->left_ns = ns;
    return septet_op_await(L, &q->op);
}

/* clock_jump(seconds): advances a virtual clock at once, while nothing else runs. Raises Usage if
 * the sum is infinite. */
static int l_jump(lua_State *L)
{
    struct spt_loop *loop = check_virtual(L);
    uint64_t ns = spt_check_seconds(L, 1);
    uint64_t to_ns = spt_instant(spt_loop_now(loop), ns);
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
    lua_pushboolean(L, env->manual);
    env->manual = lua_toboolean(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {{"quiet", l_quiet},
                                     {"clock_advance", l_advance},
                                     {"clock_jump", l_jump},
                                     {"clock_manual", l_manual},
                                     {NULL, NULL}};

void spt_open_quiet(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
