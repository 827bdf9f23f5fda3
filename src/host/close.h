/* SPDX-License-Identifier: MIT */
/* The end of a host over many steps. */
#ifndef SPT_HOST_CLOSE_H
#define SPT_HOST_CLOSE_H

#include "host/state.h"

/* Begins the end, unless it has begun. Not to be called from inside the host. */
void spt_close_begin(septet_host *h);

/* Returns true while waits of tasks are to be cancelled. */
static inline bool spt_close_is_unwinding(const septet_host *h)
{
    return h->step.closing.next_anchor != 0 && spt_host_sched(h)->counts.live > 0;
}

/* Returns true if a step has something left to end or to collect. */
static inline bool spt_close_is_due(const septet_host *h)
{
    return h->step.closing.left &&
           (h->step.closing.next_anchor != 0 || spt_host_sched(h)->counts.live == 0);
}

/* Cancels the waits of some tasks, if the end has begun. Returns true if there may be more. Called
 * in the drain once no task is ready. */
bool spt_close_unwind_some(septet_host *h);

/* Collects what the tasks left, once all have ended, until the instant of uv_hrtime(). */
void spt_close_collect(septet_host *h, uint64_t until_ns);

#endif
