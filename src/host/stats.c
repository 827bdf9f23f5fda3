/* SPDX-License-Identifier: MIT */
/* Gathers what the parts of a host count. */
#include <string.h>

#include "core/script.h"
#include "host/state.h"
#include "loop/loop.h"

static uint64_t count_scripts(const struct spt_sched *s)
{
    uint64_t n = 0;
    for (const struct spt_link *l = s->tree.scripts.next; l != &s->tree.scripts; l = l->next)
        n += !SPT_OF(l, const struct spt_script, link)->unloaded;
    return n;
}

static uint64_t count_memory(lua_State *L)
{
    return L ? (uint64_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (uint64_t)lua_gc(L, LUA_GCCOUNTB) : 0;
}

int septet_get_stats(const septet_host *host, septet_stats *stats)
{
    const struct spt_sched *s = spt_host_sched(host);
    size_t size = stats->size;
    if (size < offsetof(septet_stats, mains))
        return SEPTET_EINVAL;
    const septet_stats all = {.size = size,
                              .tasks = s->counts.live,
                              .mains = s->counts.mains,
                              .spawned = s->counts.tasks,
                              .failures = host->failures,
                              .external = s->counts.external,
                              .requests = s->counts.account.requests,
                              .scripts = count_scripts(s),
                              .polls = spt_loop_polls(host->loop),
                              .turns = s->counts.turns,
                              .memory = count_memory(host->L),
                              .memory_peak = host->limits.ledger.peak,
                              .collector_max_ns = host->step.collector.max_ns};
    memcpy(stats, &all, size < sizeof all ? size : sizeof all);
    return SEPTET_OK;
}
