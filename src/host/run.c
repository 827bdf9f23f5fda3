/* SPDX-License-Identifier: MIT */
/* Turns the loop until the last task has ended. Deadlocked tasks are cancelled, and finally
 * abandoned. */
#include "host/run.h"

#include <lauxlib.h>

#include "base/forks.h"
#include "base/time.h"
#include "core/check.h"
#include "core/pass.h"
#include "core/task.h"
#include "host/close.h"
#include "host/guard.h"
#include "host/mailbox.h"
#include "host/report.h"
#include "http/driver.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"
#include "lua/luv_things.h"
#include "lua/trace.h"

#define DEADLOCKS_MAX  100 /* deadlocks broken one by one in a run, before every wait is refused */
#define DEADLOCK_NS    (60 * SPT_NS_PER_SECOND) /* or so long after the first of them */
#define DEADLOCK_TASKS 100000                   /* or so many tasks after it */
#define TURN_RESUMES   64                       /* tasks run between two polls */
#define TURN_NS        (100 * SPT_NS_PER_US)    /* or so long */
#define IN_PLACE_NS    SPT_NS_PER_MS            /* or so long, in turns in place */

/* --- inside and outside --- */

bool spt_run_is_inside(const septet_host *h)
{
    return h->step.turning || h->callbacks.running > 0 || spt_host_sched(h)->run.draining;
}

int spt_run_check(const septet_host *h)
{
    if (h->life.forks != spt_forks_count())
        return SEPTET_ELOOP;
    if (!pthread_equal(h->life.thread, pthread_self()))
        return SEPTET_EINVAL;
    if (spt_run_is_inside(h) || h->running)
        return SEPTET_EBUSY;
    return h->L ? SEPTET_OK : SEPTET_ECLOSED;
}

int spt_run_check_loop(const septet_host *h)
{
    int rc = spt_run_check(h);
    return rc == SEPTET_OK && spt_loop_is_lost(h->loop) ? SEPTET_ELOOP : rc;
}

/* --- the drain --- */

/* Returns true if a turn's budget is exhausted, after `ran` tasks or as many messages. The time is
 * measured on the clock of the scripts. So a turn ends when a virtual clock advances, whatever the
 * speed of the machine, and the same script runs in the same order. The rest is work for the next
 * turn (`more`). */
static bool budget_exhausted(const septet_host *h, unsigned ran, uint64_t t0_ns)
{
    return ran >= TURN_RESUMES || spt_host_sched(h)->now_ns - t0_ns >= TURN_NS;
}

/* Returns true if the deadline of a step has passed. On the real clock, the instant at which the
 * last task ended is that of the clock. */
static bool is_late(void *ud)
{
    septet_host *h = ud;
    const struct spt_turn_budget *budget = spt_loop_budget(h->loop);
    if (h->core->env.clock.is_virtual)
        return spt_turn_budget_is_late(budget);
    return spt_host_sched(h)->now_ns >= budget->until_ns;
}

static uint64_t next_instant(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    bool over = h->running &&
                s->counts.live == 0; /* it may have ended in the drain before the turn's poll */
    if (h->step.more || over || h->deadlock.found || h->interrupt || h->inspection ||
        spt_driver_has_work(h->driver))
        return SPT_LOOP_NOW;
    if (h->core->env.clock.manual && s->counts.external == 0) /* the clock stands still */
        return SPT_NEVER;
    uint64_t timer_ns = spt_timer_next(&s->tree.timers), due_ns = spt_trace_due(&h->core->env);
    return timer_ns < due_ns ? timer_ns : due_ns;
}

/* Advances a virtual clock to the next deadline if nothing else could run a task. Returns true if a
 * timer is due. */
static bool reach_deadline(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    const struct spt_env *env = &h->core->env;
    uint64_t due_ns = spt_timer_next(&s->tree.timers);
    if (!env->clock.is_virtual || due_ns == SPT_NEVER)
        return false;
    if (!env->clock.manual && spt_sched_idle(s) && !spt_luv_is_alive(&h->core->env))
        spt_loop_clock_advance(h->loop, due_ns);
    return due_ns <= spt_sched_clock(s);
}

/* Returns true if a pass would find something to do at once. This is the only list of what can
 * still run. Sets `rested` to true if it has done nothing itself. */
static bool has_more(septet_host *h, bool *rested)
{
    struct spt_sched *s = spt_host_sched(h);
    bool driven = spt_driver_pass(h->driver);
    *rested = spt_driver_has_rested(h->driver);
    if (driven || spt_sched_busy(s))
        return true;
    *rested = false;
    return spt_close_unwind_some(h) || spt_mailbox_has_work(h->life.mailbox) ||
           spt_pass_notify_idle(s) || reach_deadline(h);
}

/* Returns true if nothing could ever run a task. Called once a pass would find nothing to do. A
 * manual clock does not reach its deadlines by itself, and no virtual clock ends an infinite
 * sleep. */
static bool is_deadlocked(septet_host *h)
{
    const struct spt_sched *s = spt_host_sched(h);
    const struct spt_env *env = &h->core->env;
    bool clock_stopped = env->clock.is_virtual &&
                         (env->clock.manual || spt_timer_next(&s->tree.timers) == SPT_NEVER);
    return (spt_sched_deadlocked(s) || (clock_stopped && spt_sched_idle(s))) &&
           !spt_luv_is_alive(&h->core->env);
}

/* Returns true if there is work that could be done at once. Does none of it, unlike has_more(). */
static bool is_busy(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    return spt_sched_busy(s) || spt_mailbox_has_work(h->life.mailbox) ||
           spt_driver_has_work(h->driver) || spt_close_is_unwinding(h) ||
           spt_timer_next(&s->tree.timers) <= spt_sched_clock(s);
}

bool spt_run_is_due(septet_host *h)
{
    const struct spt_sched *s = spt_host_sched(h);
    const struct spt_env *env = &h->core->env;
    bool jumps = env->clock.is_virtual && !env->clock.manual && spt_sched_idle(s) &&
                 spt_timer_next(&s->tree.timers) != SPT_NEVER && !spt_luv_is_alive(&h->core->env);
    return h->step.more || spt_close_is_due(h) || h->interrupt || h->inspection || jumps ||
           !spt_list_is_empty(&s->queues.idle) || is_busy(h);
}

/* Runs messages and passes until nothing is new, the turn's budget is exhausted, or a step is late.
 * A late step continues to its first task. */
static void run_passes(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    bool stepping = spt_loop_budget(h->loop)->until_ns != SPT_NEVER, late = false;
    struct spt_pass_limit limit = {.is_late = stepping ? is_late : NULL, .ud = h, .on_time = true};
    unsigned ran = 0, messages = 0;
    h->step.more = true;
    s->now_ns = spt_sched_clock(s);
    limit.until_ns = stepping ? 0 : s->now_ns + IN_PLACE_NS;
    for (uint64_t t0_ns = s->now_ns;
         h->step.more && !late && !budget_exhausted(h, ran > messages ? ran : messages, t0_ns);) {
        unsigned told = spt_mailbox_run(h, TURN_RESUMES - messages, limit.is_late);
        messages += told;
        limit.on_time &= told == 0;
        limit.resumes = TURN_RESUMES - ran;
        unsigned some = spt_pass_run(s, &limit);
        ran += some;
        if (!limit.cut && h->interrupted && !h->interrupt) /* all tasks made ready have run */
            spt_sched_interrupt_delivered(s);
        h->step.more = has_more(h, &limit.on_time);
        limit.on_time &= some > 0; /* the last turn's end has read the clock */
        late = stepping && is_late(h) && (ran > 0 || !spt_sched_busy(s));
    }
    if (late)
        h->step.more = is_busy(h);
}

/* Runs what can run. Returns the instant of the next drain. */
uint64_t spt_run_drain(void *ud)
{
    septet_host *h = ud;
    struct spt_sched *s = spt_host_sched(h);
    if (!h->L) /* the embedder has closed the state */
        return SPT_NEVER;
    if (s->run.draining || h->callbacks.running > 0) { /* they have called uv_run() */
        spt_loop_refuse(h->loop);
        return SPT_LOOP_NOW;
    }
    spt_sched_enter(s);
    bool interrupt = h->interrupt; /* first: a handler may ask for an inspection before it */
    spt_guard_act_on_inspection(h);
    if (interrupt)
        spt_guard_act_on_interrupt(h);
    run_passes(h);
    spt_trace_flush(&h->core->env);
    spt_sched_leave(s);
    h->step.more |= spt_sched_busy(s) || spt_driver_has_work(h->driver);
    h->deadlock.found = h->running && !h->step.more && is_deadlocked(h);
    const struct spt_env *env = &h->core->env;
    spt_loop_clock_run(h->loop, s->counts.external > 0 ||
                                    (env->clock.is_virtual && spt_luv_is_alive(&h->core->env)));
    return next_instant(h);
}

/* --- deadlocks --- */

/* Breaks a deadlock. The first time it cancels all tasks, then those that a shield kept waiting.
 * Finally it abandons the tasks that begin to wait again each time, or run for too long. So a run
 * that reported a deadlock always ends. */
static void break_deadlock(septet_host *h, unsigned times)
{
    struct spt_sched *s = spt_host_sched(h);
    spt_sched_enter(s); /* a warning callback may not run the host */
    h->ending = true;
    spt_sched_give_up(s);
    if (times == 1) {
        h->deadlock.t_first_ns = spt_sched_clock(s);
        h->deadlock.last_id = s->counts.tasks;
        spt_report_deadlock(h);
        spt_guard_cancel_children(&s->tree.mains, "shutdown", "deadlock");
        spt_guard_cancel_children(&s->tree.background, "shutdown", "deadlock");
    } else {
        if (times > DEADLOCKS_MAX)
            spt_sched_refuse_awaits(s);
        spt_pass_abort(s);
    }
    spt_sched_leave(s);
}

/* Returns true if the run continues for too long after its first deadlock. The cause may be an
 * endless shield, or tasks that spawn others when they are cancelled. */
static bool outstays(const septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    return spt_sched_clock(s) - h->deadlock.t_first_ns > DEADLOCK_NS ||
           s->counts.tasks - h->deadlock.last_id > DEADLOCK_TASKS;
}

/* Collects garbage, which may wake a task, because a channel closes with its last sender. Returns
 * true if it woke one. */
static bool wakes_by_collection(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    spt_sched_enter(s); /* a finalizer may not run the host */
    lua_gc(h->L, LUA_GCCOLLECT);
    spt_sched_leave(s);
    if (!spt_sched_busy(s))
        return false;
    spt_loop_wake(h->loop);
    return true;
}

/* Ends a turn. Returns what its callbacks have left of the host. */
static int end_turn(septet_host *h)
{
    h->step.turning = false;
    if (!h->L)
        return SEPTET_ECLOSED;
    return spt_loop_is_lost(h->loop) ? SEPTET_ELOOP : SEPTET_OK;
}

static int turn(septet_host *h)
{
    h->step.turning = true;
    spt_loop_run_once(h->loop, true);
    return end_turn(h);
}

int spt_run_step(septet_host *h)
{
    h->step.turning = true;
    spt_loop_step(h->loop);
    return end_turn(h);
}

/* Turns the loop until no task is alive, but at least once if `once` is set. Counts the deadlocks
 * that it breaks. */
static int run_turns(septet_host *h, unsigned *deadlocks, bool once)
{
    int rc = SEPTET_OK;
    for (const struct spt_sched *s = spt_host_sched(h);
         rc == SEPTET_OK && (once || s->counts.live > 0 || spt_sched_busy(s)); once = false) {
        rc = turn(h);
        if (rc != SEPTET_OK || (h->deadlock.found && *deadlocks == 0 && wakes_by_collection(h)))
            continue;
        if (h->deadlock.found)
            break_deadlock(h, ++*deadlocks);
        else if (*deadlocks > 0 && outstays(h))
            break_deadlock(h, *deadlocks = DEADLOCKS_MAX + 1);
    }
    return rc;
}

int septet_run(septet_host *host)
{
    struct spt_sched *s = spt_host_sched(host);
    int rc = spt_run_check_loop(host);
    if (rc != SEPTET_OK)
        return rc;
    uint32_t failures = host->failures, cancelled_mains = s->counts.cancelled_mains;
    unsigned deadlocks = 0;
    host->running = spt_loop_budget(host->loop)->lenient = true;
    host->interrupted = host->ending = false;
    rc = run_turns(host, &deadlocks, spt_mailbox_has_work(host->life.mailbox));
    host->running = spt_loop_budget(host->loop)->lenient = false;
    if (rc == SEPTET_ECLOSED) /* and the core was replaced */
        return rc;
    spt_sched_end_run(s);
    if (host->step.closing.begun)
        spt_sched_refuse_awaits(s);
    spt_sched_clear_urgent(s, SPT_URGENT_INTERRUPT);
    if (host->interrupt)
        spt_sched_set_urgent(s, SPT_URGENT_INTERRUPT);
    spt_sched_enter(s);
    spt_trace_flush(&host->core->env);
    spt_sched_leave(s);
    if (rc != SEPTET_OK)
        return rc;
    if (deadlocks > 0)
        return SEPTET_EDEADLOCK;
    if (host->interrupted && s->counts.cancelled_mains != cancelled_mains)
        return SEPTET_EINTERRUPTED;
    return host->failures != failures ? SEPTET_ESCRIPT : SEPTET_OK;
}

int septet_advance(septet_host *host, uint64_t ns)
{
    int rc = spt_run_check(host);
    if (rc != SEPTET_OK)
        return rc;
    if (!host->core->env.clock.is_virtual)
        return SEPTET_EINVAL;
    uint64_t to_ns = spt_timer_instant(spt_loop_now(host->loop), ns);
    if (to_ns == SPT_NEVER)
        return SEPTET_EINVAL;
    spt_loop_clock_advance(host->loop, to_ns);
    return SEPTET_OK;
}
