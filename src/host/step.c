/* SPDX-License-Identifier: MIT */
/* Turns the loop for a step, until its deadline. A step of an idle host does not turn it. */
#include "base/time.h"
#include "core/sched.h"
#include "host/close.h"
#include "host/collect.h"
#include "host/mailbox.h"
#include "host/run.h"
#include "host/state.h"
#include "http/driver.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"

/* Returns true if a turn of the loop would do nothing. */
static bool is_idle(septet_host *h)
{
    return !spt_run_is_due(h) && spt_driver_requests(h->driver) == 0 && spt_loop_is_quiet(h->loop);
}

/* Turns the loop until nothing is new or the budget's deadline has passed. Returns like
 * spt_run_step(). */
static int run_turns(septet_host *h, struct spt_turn_budget *budget)
{
    int rc;
    do {
        rc = spt_run_step(h);
    } while (rc == SEPTET_OK && h->step.more && !spt_turn_budget_is_late(budget));
    return rc;
}

/* Returns what the step that has ended reports. */
static int result(const septet_host *h)
{
    const struct spt_sched *s = spt_host_sched(h);
    bool messages = spt_mailbox_has_work(h->life.mailbox);
    if (s->counts.live == 0 && !spt_sched_busy(s) && !messages)
        return spt_close_is_due(h) ? SEPTET_MORE : SEPTET_DONE;
    return h->step.more || messages || spt_sched_busy(s) ? SEPTET_MORE : SEPTET_IDLE;
}

int septet_step_until(septet_host *host, uint64_t until_ns)
{
    struct spt_turn_budget *budget = spt_loop_budget(host->loop);
    int rc = spt_run_check_loop(host);
    if (rc != SEPTET_OK)
        return rc;
    budget->until_ns = until_ns < SPT_NEVER ? until_ns : SPT_NEVER - 1;
    if (!is_idle(host))
        rc = run_turns(host, budget);
    budget->until_ns = SPT_NEVER;
    if (rc != SEPTET_OK)
        return rc;
    struct spt_sched *s = spt_host_sched(host);
    if (host->step.closing.begun)
        spt_close_collect(host, until_ns);
    else if (!host->step.more)
        spt_collect_until(host, until_ns);
    if (s->counts.live == 0 && s->run.exiting)
        spt_sched_end_exit(s);
    return result(host);
}

int septet_step(septet_host *host, uint64_t budget_us)
{
    uint64_t ns = budget_us < SPT_NEVER / SPT_NS_PER_US ? budget_us * SPT_NS_PER_US : SPT_NEVER;
    return septet_step_until(host, spt_timer_instant(uv_hrtime(), ns));
}

int septet_next(septet_host *host, septet_wait *wait)
{
    struct spt_turn_budget *budget = spt_loop_budget(host->loop);
    int rc = spt_run_check_loop(host);
    if (rc != SEPTET_OK)
        return rc;
    if (host->config.loop)
        return SEPTET_EINVAL;
    budget->until_ns = 0; /* late from the start: as little as possible is read */
    host->step.turning = true;
    spt_loop_poll(host->loop);
    host->step.turning = false;
    budget->until_ns = SPT_NEVER;
    rc = spt_run_check_loop(host);
    if (rc != SEPTET_OK)
        return rc;
    wait->fd = uv_backend_fd(spt_loop_uv(host->loop));
    wait->timeout_ms = spt_run_is_due(host) ? 0 : spt_loop_timeout(host->loop);
    return SEPTET_OK;
}

int septet_close_begin(septet_host *host)
{
    int rc = spt_run_check(host);
    if (rc == SEPTET_OK)
        spt_close_begin(host);
    return rc;
}
