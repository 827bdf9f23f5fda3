/* SPDX-License-Identifier: MIT */
/* What a reader of the trace needs to send what it has read: a task that leaves no trace, and to be
 * called in time. */
#include <lauxlib.h>
#include <unistd.h>

#include "core/check.h"
#include "core/sched.h"
#include "core/spawn.h"
#include "core/timer.h"
#include "lua/lib.h"
#include "lua/trace_readers.h"
#include "op/env.h"

/* trace_task(fn, ...): spawns a task of the run of which the trace has no records. May be called
 * outside of tasks. One such task at a time. Returns its handle. */
static int l_task(lua_State *L)
{
    spt_check_callable(L, 1);
    spt_spawn_untraced(L, spt_env(L)->sched, lua_gettop(L) - 1);
    return 1;
}

/* trace_host(): returns the number of live main tasks, whether the clock is virtual, and the number
 * of the process. */
static int l_host(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    lua_pushinteger(L, env->sched->counts.mains);
    lua_pushboolean(L, env->clock.is_virtual);
    lua_pushinteger(L, getpid());
    return 3;
}

/* trace_wake(seconds): has the sinks called after so many seconds, also if there are no new
 * records. It keeps neither the run alive nor a deadlock from being found. */
static int l_wake(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    uint64_t ns = spt_check_seconds(L, 1);
    if (env->trace_readers)
        env->trace_readers->wake_ns = spt_timer_instant(spt_sched_clock(env->sched), ns);
    return 0;
}

static const luaL_Reg functions[] = {
    {"trace_task", l_task}, {"trace_host", l_host}, {"trace_wake", l_wake}, {NULL, NULL}};

void spt_open_trace_task(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
