/* SPDX-License-Identifier: MIT */
/* Turns the loop for a step, until its deadline. */
#include "base/time.h"
#include "core/sched.h"
#include "host/run.h"
#include "host/state.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"

/* Returns what the step that has ended reports. */
static int result(const septet_host *h)
{
    const struct spt_sched *s = spt_host_sched(h);
    if (s->counts.live == 0 && !spt_sched_busy(s))
        return SEPTET_DONE;
    return h->more || spt_sched_busy(s) ? SEPTET_MORE : SEPTET_IDLE;
}

int septet_step_until(septet_host *host, uint64_t until_ns)
{
    struct spt_sched *s = spt_host_sched(host);
    struct spt_turn_budget *budget = spt_loop_budget(host->loop);
    if (spt_run_is_inside(host))
        return SEPTET_EBUSY;
    budget->until_ns = until_ns < SPT_NEVER ? until_ns : SPT_NEVER - 1;
    do {
        spt_run_step(host);
    } while (host->more && !spt_turn_budget_is_late(budget));
    budget->until_ns = SPT_NEVER;
    if (s->counts.live == 0 && s->run.exiting)
        spt_sched_end_exit(s);
    return result(host);
}

int septet_step(septet_host *host, uint64_t budget_us)
{
    uint64_t ns = budget_us < SPT_NEVER / SPT_NS_PER_US ? budget_us * SPT_NS_PER_US : SPT_NEVER;
    return septet_step_until(host, spt_timer_instant(uv_hrtime(), ns));
}
