/* quiet: waits until no other task can run. For tests, which step by step look at what has become
 * of what they began, and for the clock of such tests. */
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
    struct spt_loop *loop; /* whose clock is moved on then; or NULL */
    uint64_t left_ns;      /* how far at most; what is left of it afterwards */
};

/* Moves the clock on to the next deadline, `*left_ns` at most, which it reduces by as much. For
 * ever is as far as the last deadline. */
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

/* Called between two laps: what the clock moves on by is not part of any task's turn. */
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

/* quiet(): waits until no other task can run before something happens in the world or the clock
 * moves. Who waits for this too is told one after the other. */
static int l_quiet(lua_State *L)
{
    spt_check_most(L, 0);
    return septet_op_await(L, &new_quiet(L)->op);
}

/* clock_advance(seconds, left): the same, and then moves a virtual clock on to the next deadline,
 * by so much at most. Returns what is left of the seconds, which is 0 at the end and in units that
 * only the next call knows. */
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

/* clock_jump(seconds): moves a virtual clock on at once: nothing else runs. It cannot be moved on
 * for ever. */
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

/* clock_manual(on): with `on`, a virtual clock does not jump by itself. Returns how it was. */
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
