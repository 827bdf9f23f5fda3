/* SPDX-License-Identifier: MIT */
/* wall and wall_step: reads the wall clock, and sets a virtual one for tests. */
#include "op/wall_clock.h"

#include <lua.h>
#include <math.h>
#include <time.h>

#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "op/env.h"
#include "op/openers.h"

#define VIRTUAL_START_S UINT64_C(946684800)  /* 2000-01-01 00:00:00 UTC */
#define VIRTUAL_END_S   UINT64_C(4102444800) /* 2100-01-01 00:00:00 UTC */

uint64_t spt_wall_clock_at(const struct spt_env *env, uint64_t t)
{
    struct timespec now;
    if (env->clock.is_virtual)
        return VIRTUAL_START_S * SPT_NS_PER_SECOND + t + (uint64_t)env->clock.wall_step_ns;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SPT_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* wall(): returns the seconds since 1970 on the wall clock. */
static int l_wall(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    spt_check_most(L, 0);
    lua_pushnumber(L, spt_time_seconds(spt_wall_clock_at(env, spt_sched_clock(env->sched))));
    return 1;
}

/* wall_step(seconds): sets a virtual wall clock forward, or back. Raises Usage if it would leave
 * the years 1970 to 2099. */
static int l_step(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_Number seconds = luaL_checknumber(L, 1);
    if (!env->clock.is_virtual)
        spt_error_usage(L, "the clock is the real one: run this with septet --virtual-time");
    lua_Number now = spt_time_seconds(spt_wall_clock_at(env, spt_sched_clock(env->sched)));
    if (!(now + seconds >= 0 && now + seconds < VIRTUAL_END_S))
        spt_error_usage(L, "bad argument #1 to 'step_wall_clock' (the clock would leave the years "
                           "1970 to 2099)");
    env->clock.wall_step_ns += (int64_t)llround(seconds * SPT_NS_PER_SECOND);
    return 0;
}

static const luaL_Reg functions[] = {{"wall", l_wall}, {"wall_step", l_step}, {NULL, NULL}};

void spt_open_wall_clock(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
