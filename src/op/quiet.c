/* quiet: waits until no other task can run. For tests, which step by step look at what has become of what they
 * began, and for the clock of such tests. */
#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "loop/loop.h"
#include "op/env.h"

struct quiet_op {
    septet_op op;
    struct spt_quiet quiet;
};

static void on_quiet(struct spt_quiet *quiet)
{
    septet_op_done(&SPT_OF(quiet, struct quiet_op, quiet)->op, SEPTET_OK);
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
    return 0;
}

static const septet_op_type quiet_type = {
    .name = "quiet",
    .size = sizeof(struct quiet_op),
    .start = quiet_start,
    .cancel = quiet_cancel,
    .push = quiet_push,
};

/* quiet(): waits until no other task can run before something happens in the world or the clock moves. Who waits
 * for this too is told one after the other. */
static int l_quiet(lua_State *L)
{
    struct quiet_op *q = (struct quiet_op *)spt_op_new(L, spt_env(L)->sched, &quiet_type);
    return septet_op_await(L, &q->op);
}

static struct spt_loop *check_virtual(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    if (!env->is_virtual || !env->loop)
        spt_error_usage(L, "the clock is the real one: run this with septet --virtual-time");
    return env->loop;
}

/* clock_jump(seconds, to_deadline): moves a virtual clock on; with `to_deadline`, no further than the next deadline.
 * Nothing runs yet. Returns what is left of the seconds. */
static int l_jump(lua_State *L)
{
    struct spt_loop *loop = check_virtual(L);
    uint64_t ns = spt_check_seconds(L, 1), now_ns = spt_loop_now(loop);
    uint64_t to_ns = spt_instant(now_ns, ns);
    uint64_t due_ns = spt_timers_next(&spt_env(L)->sched->timers);
    if (lua_toboolean(L, 2) && due_ns < to_ns)
        to_ns = due_ns > now_ns ? due_ns : now_ns;
    spt_loop_jump(loop, to_ns);
    lua_pushnumber(L, (lua_Number)(ns - (to_ns - now_ns)) / 1e9);
    return 1;
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

static const luaL_Reg functions[] = {
    {"quiet", l_quiet}, {"clock_jump", l_jump}, {"clock_manual", l_manual}, {NULL, NULL}};

void spt_open_quiet(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
