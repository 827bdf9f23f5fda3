/* SPDX-License-Identifier: MIT */
/* Finds the host of a Lua state, and gives the embedder what a host has. */
#include "host/state.h"

#include "loop/loop.h"
#include "septet/op.h"

septet_host *septet_host_of(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    return s ? s->hooks.ud : NULL;
}

lua_State *septet_lua(septet_host *host)
{
    return host->L;
}

void *septet_loop(septet_host *host)
{
    return spt_loop_uv(host->loop);
}

void *septet_userdata(septet_host *host)
{
    return host->config.ud;
}

size_t septet_tasks(const septet_host *host)
{
    return spt_host_sched(host)->counts.live;
}
