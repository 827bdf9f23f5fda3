/* SPDX-License-Identifier: MIT */
/* Runs passes over due timers, deferred callbacks, failures to report and ready tasks. */
#include "core/pass.h"

#include <stdlib.h>

#include "base/random.h"
#include "core/finish.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/turn.h"

/* number of timers that fire between two looks at the clock */
#define TIMERS 64

static void run_first(struct spt_sched *s, struct spt_link *l)
{
    struct spt_deferred *deferred = SPT_OF(l, struct spt_deferred, link);
    deferred->run(deferred, s->main);
}

static void run_deferred(struct spt_sched *s)
{
    for (struct spt_link *l; (l = spt_list_pop(&s->queues.deferred));)
        run_first(s, l);
}

static void report_unhandled(struct spt_sched *s)
{
    for (struct spt_link *l; (l = spt_list_pop(&s->tree.unhandled));)
        spt_finish_report(SPT_OF(l, struct spt_task, link));
}

/* Tells the embedder of calls and scripts that have ended, each after the failures before it. */
static void report_endings(struct spt_sched *s)
{
    for (struct spt_link *l; (l = spt_list_pop(&s->queues.endings));) {
        run_first(s, l);
        report_unhandled(s);
    }
}

/* Renews the background scope, which was cancelled after the last main task, for the tasks of later
 * main tasks. */
static void renew_background(struct spt_scope *background)
{
    if (spt_scope_is_cancelled(background) && background->tasks.live == 0)
        spt_scope_renew(background);
}

/* Shuffles the batch, so that tests find code that depends on its order. Each task in turn is taken
 * from a random place of those left. If there is no memory, the order stays. */
static void shuffle(struct spt_sched *s, struct spt_link *batch)
{
    uint32_t n = 0;
    for (struct spt_link *l = batch->next; l != batch; l = l->next)
        n++;
    struct spt_link **all = n > 1 ? malloc(n * sizeof(struct spt_link *)) : NULL;
    if (!all)
        return;
    for (uint32_t i = 0; i < n; i++)
        all[i] = spt_list_pop(batch);
    for (; n > 0; n--) {
        uint32_t i = spt_random_below(&s->queues.shuffle, n);
        spt_list_push(batch, all[i]);
        all[i] = all[n - 1];
    }
    free(all);
}

bool spt_pass_notify_idle(struct spt_sched *s)
{
    if (spt_list_is_empty(&s->queues.idle) || spt_sched_busy(s))
        return false;
    if (spt_timer_next(&s->tree.timers) > spt_sched_clock(s)) {
        struct spt_idle_waiter *q =
            SPT_OF(spt_list_pop(&s->queues.idle), struct spt_idle_waiter, link);
        q->fire(q);
    }
    return true;
}

static inline bool is_late(const struct spt_pass_limit *limit)
{
    return limit->is_late && limit->is_late(limit->ud);
}

static void expire_timers(struct spt_sched *s, const struct spt_pass_limit *limit)
{
    if (!limit->on_time)
        s->now_ns = spt_sched_clock(s);
    uint64_t at_ns = s->now_ns;
    while (spt_timer_expire_some(&s->tree.timers, at_ns, TIMERS) == TIMERS) {
        s->now_ns = spt_sched_clock(s);
        if (is_late(limit))
            return;
    }
}

unsigned spt_pass_run(struct spt_sched *s, struct spt_pass_limit *limit)
{
    struct spt_link *batch = &s->queues.batch;
    bool late = false;
    lua_checkstack(s->main, LUA_MINSTACK);
    expire_timers(s, limit);
    run_deferred(s);
    report_unhandled(s);
    report_endings(s);
    renew_background(&s->tree.background);
    s->run.turns.run = spt_turn_run;
    s->run.turns.left = limit->resumes;
    s->run.turns.until_ns = limit->until_ns;
    spt_list_splice(batch, &s->queues.ready);
    if (s->queues.shuffle)
        shuffle(s, batch);
    for (struct spt_link *l; !late && s->run.turns.left > 0 && (l = spt_list_pop(batch));) {
        s->run.turns.left--;
        if (!spt_list_is_empty(&s->queues.deferred))
            run_deferred(s);
        spt_turn_run(SPT_OF(l, struct spt_task, link));
        late = is_late(limit);
    }
    limit->cut = !spt_list_is_empty(batch);
    spt_list_splice(batch, &s->queues.ready);
    spt_list_splice(&s->queues.ready, batch);
    unsigned ran = limit->resumes - s->run.turns.left;
    s->counts.turns += ran;
    return ran;
}

static void abort_below(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true))
        if (!spt_scope_is_hosts(s))
            spt_op_cancel_wait(s);
}

void spt_pass_abort(struct spt_sched *s)
{
    abort_below(&s->tree.mains);
    abort_below(&s->tree.background);
}

void spt_pass_begin_unwind(struct spt_sched *s)
{
    spt_sched_refuse_awaits(s);
    s->tree.unwinding = true;
    spt_coroutines_empty(s->main, &s->pool);
    spt_scope_cancel(&s->tree.mains, "shutdown", NULL);
}

/* Cancels the wait of `t`. The tasks share the cancellation of the main tasks' scope, and therefore
 * one error. */
static void unwind_task(struct spt_task *t)
{
    struct spt_scope *root = &t->root;
    if (!root->cancel_pending) {
        root->cancel_pending = true;
        root->canceller = &t->sched->tree.mains;
    }
    spt_op_cancel_wait(t->scope);
}

bool spt_pass_unwind_some(struct spt_sched *s, uint32_t *next, unsigned n)
{
    for (; *next <= s->anchors.last && n > 0; ++*next, n--) {
        struct spt_task *t = spt_anchor_find(s->main, &s->anchors, *next);
        if (t && t->sched == s && !spt_task_ended(t))
            unwind_task(t);
    }
    return *next <= s->anchors.last;
}

void spt_pass_unwind(struct spt_sched *s)
{
    spt_sched_refuse_awaits(s);
    spt_pass_abort(s);
    while (spt_sched_busy(s))
        spt_pass_run(s, &(struct spt_pass_limit){.resumes = UINT32_MAX});
}
