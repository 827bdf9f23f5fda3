/* SPDX-License-Identifier: MIT */
/* Gives the ring the highest level that a reader needs. */
#include "lua/trace_readers.h"

#include "core/error.h"
#include "core/sched.h"
#include "core/trace.h"
#include "loop/loop.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/wall_clock.h"

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
    if (readers->env->loop)
        spt_loop_measure_idle(readers->env->loop);
    spt_trace_readers_clock(readers, spt_sched_clock(s));
    return cursor;
}

void spt_trace_readers_clock(struct spt_trace_readers *readers, uint64_t t)
{
    uint64_t unix_ns = spt_wall_clock_at(readers->env, t);
    spt_trace_clock(&readers->env->sched->trace, t, unix_ns);
}

void spt_trace_readers_check(lua_State *L, struct spt_env *env, const char *subject)
{
    if (spt_gate_permits(env, SEPTET_PERMIT_TRACE, subject))
        return;
    spt_error_push(L, "IoError", "cannot read the trace: denied by the host");
    spt_io_error_raise_code(L, subject, "denied");
}
