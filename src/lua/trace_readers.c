/* SPDX-License-Identifier: MIT */
/* Gives the ring the highest level that a reader needs. */
#include "lua/trace_readers.h"

#include "core/sched.h"
#include "core/trace.h"
#include "op/env.h"

void spt_trace_readers_set_level(struct spt_trace_readers *readers)
{
    int level = 1;
    if (readers->sinks_level > level)
        level = readers->sinks_level;
    if (readers->files_level > level)
        level = readers->files_level;
    spt_trace_set_level(&readers->env->sched->trace, level);
}

uint64_t spt_trace_readers_begin(struct spt_trace_readers *readers)
{
    struct spt_sched *s = readers->env->sched;
    uint64_t cursor = s->trace.head;
    spt_trace_clock(&s->trace, spt_sched_clock(s));
    return cursor;
}
