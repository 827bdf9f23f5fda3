/* SPDX-License-Identifier: MIT */
/* Orders timers by their instants, and by the order of arming if equal. */
#include "core/timer.h"

#include <limits.h>

#include "base/list.h"

static struct spt_timer *timer_of(const struct spt_heap_node *n)
{
    return SPT_OF(n, struct spt_timer, node);
}

static bool before(const struct spt_heap_node *a, const struct spt_heap_node *b)
{
    const struct spt_timer *x = timer_of(a), *y = timer_of(b);
    return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->seq < y->seq;
}

void spt_timer_init(struct spt_timers *ts)
{
    *ts = (struct spt_timers){.heap = {.before = before}};
}

void spt_timer_start(struct spt_timers *ts, struct spt_timer *t, uint64_t due_ns,
                     void (*fire)(struct spt_timer *))
{
    spt_timer_stop(ts, t);
    t->due_ns = due_ns > ts->expiring ? due_ns : ts->expiring + 1;
    t->seq = ts->seq++;
    t->fire = fire;
    spt_heap_insert(&ts->heap, &t->node);
}

void spt_timer_stop(struct spt_timers *ts, struct spt_timer *t)
{
    if (!spt_timer_is_armed(t))
        return;
    t->fire = NULL;
    spt_heap_remove(&ts->heap, &t->node);
}

uint64_t spt_timer_next(const struct spt_timers *ts)
{
    struct spt_heap_node *n = spt_heap_min(&ts->heap);
    return n ? timer_of(n)->due_ns : SPT_NEVER;
}

unsigned spt_timer_expire_some(struct spt_timers *ts, uint64_t now_ns, unsigned max)
{
    unsigned fired = 0;
    ts->expiring = now_ns;
    for (struct spt_heap_node *n; fired < max && (n = spt_heap_min(&ts->heap)); fired++) {
        struct spt_timer *t = timer_of(n);
        if (t->due_ns > now_ns)
            break;
        void (*fire)(struct spt_timer *) = t->fire;
        spt_timer_stop(ts, t);
        fire(t);
    }
    ts->expiring = 0;
    return fired;
}

unsigned spt_timer_expire(struct spt_timers *ts, uint64_t now_ns)
{
    return spt_timer_expire_some(ts, now_ns, UINT_MAX);
}

uint64_t spt_timer_instant(uint64_t now_ns, uint64_t ns)
{
    return ns >= SPT_NEVER - now_ns ? SPT_NEVER : now_ns + ns;
}
